"""Expected writes: what a run of a batch must have written, according to the model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from gateway.application.ports.batch_records import AnswerKey
from gateway.application.ports.unit_of_work import Changes
from gateway.domain.account import AccountId, AccountKey
from gateway.domain.api_key import ApiKeyId
from gateway.domain.member import MemberId
from gateway.domain.payment import QuoteId
from gateway.domain.transaction import Transaction
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import EndpointId
from gateway.simulation.answers import model_customer, model_endpoint, model_key, model_member, model_quote
from gateway.simulation.effect import Effect
from gateway.simulation.model_records import (
    ModelAccount,
    ModelCustomer,
    ModelEndpoint,
    ModelKey,
    ModelMember,
    ModelQuote,
    Move,
)
from gateway.simulation.violation import Violation


class ExpectedEvent(NamedTuple):
    """An event that must be written.

    Attributes:
        type: Its type.
        subject: What it tells: a payment, a webhook endpoint, an API key, a customer, an account with its key, or the
            facts of a command.
    """

    type: str
    subject: object


@dataclass(slots=True)
class ExpectedWrites:
    """Collects effects, and compares them with the changes of a commit."""

    answers: dict[AnswerKey, tuple[bytes, bytes]] = field(default_factory=dict[AnswerKey, tuple[bytes, bytes]])
    """The fingerprint and the body of each stored answer."""
    quotes: dict[QuoteId, ModelQuote] = field(default_factory=dict[QuoteId, ModelQuote])
    endpoints: dict[EndpointId, ModelEndpoint] = field(default_factory=dict[EndpointId, ModelEndpoint])
    keys: dict[ApiKeyId, ModelKey] = field(default_factory=dict[ApiKeyId, ModelKey])
    customers: dict[UserId, ModelCustomer] = field(default_factory=dict[UserId, ModelCustomer])
    members: dict[MemberId, ModelMember] = field(default_factory=dict[MemberId, ModelMember])
    events: list[ExpectedEvent] = field(default_factory=list[ExpectedEvent])
    transactions: list[tuple[str, tuple[Move, ...]]] = field(default_factory=list[tuple[str, tuple[Move, ...]]])

    disabled: dict[UserId, bool] = field(default_factory=dict[UserId, bool])
    """The users who are disabled or enabled, and which."""
    sessions_ended: set[UserId] = field(default_factory=set[UserId])
    recorded: list[str] = field(default_factory=list[str])
    """What the audit log records, in order."""

    def add(self, effect: Effect) -> None:
        """Add the quote, the events and the transaction of an effect."""
        if effect.quote is not None:
            self.quotes[effect.quote.id] = effect.quote
        if effect.endpoint is not None:
            self.endpoints[effect.endpoint.id] = effect.endpoint
        self.disabled.update(effect.disabled)
        self.sessions_ended.update(effect.sessions_ended)
        if effect.recorded:
            self.recorded.append(effect.recorded)
        self.keys |= {each.id: each for each in effect.keys}
        if effect.customer is not None:
            self.customers[effect.customer.id] = effect.customer
        self.members |= {each.id: each for each in effect.members}
        if effect.events:
            self.events.extend(_events_of(effect))
        if effect.transaction:
            self.transactions.append((effect.transaction, effect.moves))

    def adopt(self, others: "ExpectedWrites") -> None:
        """Add the writes of an atomic bulk submission."""
        self.answers.update(others.answers)
        self.quotes.update(others.quotes)
        self.endpoints.update(others.endpoints)
        self.disabled.update(others.disabled)
        self.sessions_ended.update(others.sessions_ended)
        self.recorded.extend(others.recorded)
        self.keys.update(others.keys)
        self.customers.update(others.customers)
        self.members.update(others.members)
        self.events.extend(others.events)
        self.transactions.extend(others.transactions)

    def compare(self, written: Changes, keys: Mapping[AccountId, AccountKey]) -> Iterator[Violation]:
        """The differences from what was written. `keys` has the keys of all accounts in it."""
        quotes = {quote.id: model_quote(quote) for quote in (*written.quotes_new, *written.quotes_changed)}
        if quotes != self.quotes:
            yield Violation("quotes", f"Written are {quotes}; it must be {self.quotes}.")
        answers = {answer.key: (answer.fingerprint, answer.body) for answer in written.answers_new}
        if answers != self.answers:
            detail = f"Kept are {list(answers)}; it must be {list(self.answers)}, as answered."
            yield Violation("answers_stored", detail)
        events, expected = [event.type.value for event in written.events_new], [each.type for each in self.events]
        if events != expected:
            yield Violation("events", f"Written are {events}; it must be {expected}.")
        endpoints = {
            each.id: model_endpoint(each)
            for each in (*written.webhook_endpoints_new, *written.webhook_endpoints_changed)
        }
        deleted = {each.id for each in self.endpoints.values() if each.deleted}
        kept = {each.id: each for each in self.endpoints.values() if not each.deleted}
        if endpoints != kept or set(written.webhook_endpoints_deleted) != deleted:
            detail = (
                f"Written are {endpoints} without {written.webhook_endpoints_deleted}; it must be {self.endpoints}."
            )
            yield Violation("endpoints", detail)
        recorded = [record.note.action.value for record in written.audit_new]
        if recorded != self.recorded:
            yield Violation("audit", f"The audit log records {recorded}; it must be {self.recorded}.")
        users = {user.id: user.disabled_at is not None for user in written.users_changed}
        ended = {each.user_id for each in written.sessions_ended}
        if users != self.disabled or ended != self.sessions_ended:
            detail = f"Written are {users} and {ended}; it must be {self.disabled} and {self.sessions_ended}."
            yield Violation("users", detail)
        yield from self._compare_keys(written)
        yield from self._compare_members(written)
        yield from self._compare_customers(written)
        transactions = [(each.type.value, moves_of(each, keys)) for each in written.transactions_new]
        if transactions != self.transactions:
            yield Violation("transactions", f"Written are {transactions}; it must be {self.transactions}.")

    def _compare_keys(self, written: Changes) -> Iterator[Violation]:
        keys = {each.id: model_key(each) for each in (*written.api_keys_new, *written.api_keys_changed)}
        deleted = {each.id for each in self.keys.values() if each.deleted}
        if keys != {each.id: each for each in self.keys.values() if not each.deleted}:
            yield Violation("keys", f"Written are {keys}; it must be {self.keys}.")
        if set(written.api_keys_deleted) != deleted:
            yield Violation("keys", f"Deleted are {written.api_keys_deleted}; it must be {deleted}.")

    def _compare_customers(self, written: Changes) -> Iterator[Violation]:
        customers = {each.id: model_customer(each) for each in (*written.customers_new, *written.customers_changed)}
        if customers != self.customers:
            yield Violation("customers", f"Written are {customers}; it must be {self.customers}.")

    def _compare_members(self, written: Changes) -> Iterator[Violation]:
        members = {each.id: model_member(each) for each in (*written.members_new, *written.members_changed)}
        deleted = {each.id for each in self.members.values() if each.deleted}
        if members != {each.id: each for each in self.members.values() if not each.deleted}:
            yield Violation("members", f"Written are {members}; it must be {self.members}.")
        if set(written.members_deleted) != deleted:
            yield Violation("members", f"Deleted are {written.members_deleted}; it must be {deleted}.")


def _events_of(effect: Effect) -> Iterator[ExpectedEvent]:
    """The events of an effect, each with the record that it is about."""
    accounts: Iterator[object] = chain(((key, ModelAccount()) for key in effect.opened), effect.changed.items())
    for event_type in effect.events:
        subject: object = effect.told
        match event_type.partition(".")[0]:
            case "payment":
                subject = effect.payment
            case "endpoint":
                subject = effect.endpoint
            case "member":
                subject = effect.member
            case "account":
                subject = next(accounts)
            case "customer":
                subject = effect.customer
            case "api_key":
                subject = effect.old_key if event_type == "api_key.rotated" else effect.key
            case _:
                pass
        yield ExpectedEvent(event_type, subject)


def moves_of(transaction: Transaction, keys: Mapping[AccountId, AccountKey]) -> tuple[Move, ...]:
    """The transfers of a transaction in the words of the model."""
    return tuple(
        Move(each.kind.value, keys[each.debit_account_id], keys[each.credit_account_id], each.amount_minor)
        for each in transaction.transfers
    )
