"""The model: a second, minimal implementation of the ledger, which says what accounts, payments and keys must be.

It shares its vocabulary with the domain (ids, keys, amounts) and none of its code: its rules, in `rules/`, are written
from the specification. A mistake goes unnoticed only if it is made in both, in two ways.
"""

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from gateway.application.engine.command import Command
from gateway.application.ports.batch_records import AnswerKey
from gateway.domain.account import AccountId, AccountKey, AccountKind
from gateway.domain.api_key import ApiKeyId
from gateway.domain.member import MemberId
from gateway.domain.payment import PaymentId, QuoteId
from gateway.domain.transaction import TransactionId
from gateway.domain.user import SYSTEM, UserId
from gateway.domain.webhook_endpoint import EndpointId
from gateway.simulation.effect import Effect
from gateway.simulation.model_records import (
    ModelAccount,
    ModelAnswer,
    ModelCustomer,
    ModelEndpoint,
    ModelKey,
    ModelMember,
    ModelPayment,
    ModelQuote,
    ModelTransaction,
    Move,
    customer_key,
    merchant_key,
)


class Refused(Exception):  # noqa: N818 - as every refusal.
    """A rule refuses a command."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


@dataclass(slots=True, kw_only=True)
class Model:
    """Every record that must exist. Records are replaced, never changed, so forks are cheap."""

    accounts: MutableMapping[AccountKey, ModelAccount] = field(default_factory=dict[AccountKey, ModelAccount])
    holders: MutableMapping[tuple[UserId, AccountKind], bool] = field(
        default_factory=dict[tuple[UserId, AccountKind], bool]
    )
    keys: MutableMapping[AccountId, AccountKey] = field(default_factory=dict[AccountId, AccountKey])
    payments: MutableMapping[PaymentId, ModelPayment] = field(default_factory=dict[PaymentId, ModelPayment])
    quotes: MutableMapping[QuoteId, ModelQuote] = field(default_factory=dict[QuoteId, ModelQuote])
    references: MutableMapping[tuple[UserId, UserId, str], bool] = field(
        default_factory=dict[tuple[UserId, UserId, str], bool]
    )
    transactions: MutableMapping[TransactionId, ModelTransaction] = field(
        default_factory=dict[TransactionId, ModelTransaction]
    )
    endpoints: MutableMapping[EndpointId, ModelEndpoint] = field(default_factory=dict[EndpointId, ModelEndpoint])
    api_keys: MutableMapping[ApiKeyId, ModelKey] = field(default_factory=dict[ApiKeyId, ModelKey])
    customers: MutableMapping[UserId, ModelCustomer] = field(default_factory=dict[UserId, ModelCustomer])
    """Those whom a merchant manages."""
    emails: MutableMapping[str, bool] = field(default_factory=dict[str, bool])
    user_ids: MutableMapping[UserId, bool] = field(default_factory=dict[UserId, bool])
    users: MutableMapping[UserId, tuple[str, str]] = field(default_factory=dict[UserId, tuple[str, str]])
    """The e-mail address and the role of each user."""
    members: MutableMapping[MemberId, ModelMember] = field(default_factory=dict[MemberId, ModelMember])
    disabled: MutableMapping[UserId, bool] = field(default_factory=dict[UserId, bool])
    """The users who were ever disabled, and whether they are."""
    answers: MutableMapping[AnswerKey, ModelAnswer] = field(default_factory=dict[AnswerKey, ModelAnswer])

    def fork(self) -> "Model":
        """A copy of this model, whose changes reach this one only through `adopt`."""
        return Model(**{each.name: ChainMap({}, getattr(self, each.name)) for each in fields(self)})

    def adopt(self, fork: "Model") -> None:
        """Apply the changes of a fork."""
        for each in fields(self):
            getattr(self, each.name).update(getattr(fork, each.name).maps[0])

    def payment(self, payment_id: PaymentId) -> ModelPayment:
        """The payment of this id."""
        if payment_id not in self.payments:
            raise Refused("payment_not_found")
        return self.payments[payment_id]

    def key_of(self, account_id: AccountId) -> AccountKey:
        """The key of a user's account. The gateway's own accounts are not found."""
        key = self.keys.get(account_id)
        if key is None or key.owner_id == SYSTEM:
            raise Refused("account_not_found")
        return key

    def endpoint(self, endpoint_id: EndpointId, owner: UserId | None) -> ModelEndpoint:
        """The webhook endpoint of this id, which must belong to this owner; without one, to anybody."""
        found = self.endpoints.get(endpoint_id)
        if found is None or found.deleted or owner not in {None, found.owner}:
            raise Refused("webhook_endpoint_not_found")
        return found

    def api_key(self, key_id: ApiKeyId, owner: UserId) -> ModelKey:
        """The API key of this id, which must belong to this owner."""
        found = self.api_keys.get(key_id)
        if found is None or found.deleted or found.owner != owner:
            raise Refused("api_key_not_found")
        return found

    def payer(self, customer: UserId, currency: str) -> AccountKey:
        """The account that a customer pays from."""
        key = customer_key(customer, currency)
        if key not in self.accounts:
            raise Refused("currency_mismatch" if (customer, key.kind) in self.holders else "user_not_found")
        return key

    def must_not_be_managed_by_others(self, customer: UserId, merchant: UserId) -> None:
        """Check that a customer may pay this merchant: one whom a merchant manages pays that one alone."""
        if self.manager(customer) not in {None, merchant}:
            raise Refused("user_not_found")

    def manager(self, customer: UserId) -> UserId | None:
        """The merchant who manages a customer, if one does."""
        managed = self.customers.get(customer)
        return None if managed is None or managed.joined_at is not None else managed.merchant

    def payee(self, merchant: UserId, currency: str) -> AccountKey:
        """The account that a merchant is paid to."""
        key = merchant_key(merchant, currency)
        if key not in self.accounts:
            raise Refused("currency_mismatch" if (merchant, key.kind) in self.holders else "merchant_not_found")
        return key

    def must_pay(self, key: AccountKey) -> ModelAccount:
        """An account that pays. A frozen one may not, nor one of a disabled user, nor a closed one."""
        account = self.accounts[key]
        if account.closed:
            raise Refused("account_closed")
        if account.suspended:
            raise Refused("user_disabled")
        if account.frozen:
            raise Refused("account_frozen")
        return account

    def must_receive(self, key: AccountKey) -> None:
        """Check that an account may be paid something new. A frozen one may."""
        self.must_not_be_closed(key)
        if self.accounts[key].suspended:
            raise Refused("user_disabled")

    def must_not_be_closed(self, key: AccountKey) -> None:
        """Check that an account may take back what was its own, also if its owner is disabled."""
        if self.accounts[key].closed:
            raise Refused("account_closed")

    def apply(self, effect: Effect) -> None:
        """Apply an effect."""
        if effect.customer is not None:
            self._note(effect.customer)
        self._open(effect.opened)
        self.accounts.update(effect.changed)
        for move in effect.moves:
            self._move(move)
        if effect.payment is not None:
            payment = effect.payment
            self.payments[payment.id] = payment
            if payment.reference is not None:
                is_held = payment.status not in {"failed", "canceled", "expired"}
                self.references[payment.merchant, payment.named_by, payment.reference] = is_held
        if effect.quote is not None:
            self.quotes[effect.quote.id] = effect.quote
        if effect.endpoint is not None:
            self.endpoints[effect.endpoint.id] = effect.endpoint
        self.api_keys.update((key.id, key) for key in effect.keys)
        if effect.reverses is not None:
            self.transactions[effect.reverses] = replace(self.transactions[effect.reverses], reversed=True)
        if effect.email:
            self.emails[effect.email] = True
        if effect.user_id is not None:
            self.user_ids[effect.user_id] = True
            self.users[effect.user_id] = (effect.email, effect.role)
        self.members.update((member.id, member) for member in effect.members)
        self.disabled.update(effect.disabled)

    def _note(self, customer: ModelCustomer) -> None:
        self.customers[customer.id] = customer
        if customer.joined_at is not None:
            self.holders[customer.id, AccountKind.CUSTOMER] = True

    def _open(self, keys: Iterable[AccountKey]) -> None:
        for key in keys:
            self.accounts[key] = ModelAccount()
            if self.manager(key.owner_id) is None:
                self.holders[key.owner_id, key.kind] = True

    def _move(self, move: Move) -> None:
        amount = move.amount
        debit, credit = self.accounts[move.debit], self.accounts[move.credit]
        posted = amount if move.kind in {"post", "post_held"} else 0
        pending = {"post": 0, "hold": amount, "post_held": -amount, "release": -amount}[move.kind]
        self.accounts[move.debit] = replace(
            debit, posted=debit.posted - posted, held=debit.held + pending, version=debit.version + 1
        )
        self.accounts[move.credit] = replace(
            credit, posted=credit.posted + posted, incoming=credit.incoming + pending, version=credit.version + 1
        )


Rule = Callable[[Model, Any, datetime], Effect]
"""The effect that a command must have at a time. Raises `Refused` if only the answer is written."""

Rules = Mapping[type[Command[Any]], Rule]
