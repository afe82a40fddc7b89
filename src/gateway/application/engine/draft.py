"""The decisions of a batch, before they are written."""

from collections.abc import Collection, Iterable
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway.application.engine.command import Decision
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.engine.risk import Risk
from gateway.application.ports.batch_records import AccountHolder, AnswerKey, EndedSessions, NewUser, StoredAnswer
from gateway.application.ports.unit_of_work import Changes, Records
from gateway.domain.account import Account, AccountId
from gateway.domain.api_key import ApiKey, ApiKeyId
from gateway.domain.audit import AuditRecord
from gateway.domain.customer import Customer
from gateway.domain.event import Event
from gateway.domain.member import Member, MemberId
from gateway.domain.payment import Payment, PaymentId, QuoteId
from gateway.domain.payment_counters import PaymentCounters
from gateway.domain.quote import Quote
from gateway.domain.refund import Refund
from gateway.domain.transaction import Transaction
from gateway.domain.user import User, UserId
from gateway.domain.webhook_endpoint import EndpointId, WebhookEndpoint


class Draft(LedgerView):
    """The ledger view of a batch, and the changes decided so far. Only the batch adds to it."""

    __slots__ = (
        "_accounts_changed",
        "_accounts_handed_over",
        "_accounts_new",
        "_answers",
        "_answers_new",
        "_api_keys_changed",
        "_api_keys_deleted",
        "_api_keys_new",
        "_audit_new",
        "_customers_changed",
        "_customers_new",
        "_events_new",
        "_members_changed",
        "_members_deleted",
        "_members_new",
        "_payment_counters_changed",
        "_payments_changed",
        "_payments_new",
        "_quotes_changed",
        "_quotes_new",
        "_refunds_new",
        "_sessions_ended",
        "_transactions_new",
        "_users_changed",
        "_users_new",
        "_webhook_endpoints_changed",
        "_webhook_endpoints_deleted",
        "_webhook_endpoints_new",
    )

    def __init__(self, records: Records, risk: Risk | None = None) -> None:
        super().__init__(records, risk)
        self._payment_counters_changed: dict[UserId, PaymentCounters] = {}
        self._answers = {answer.key: answer for answer in records.answers}
        self._users_new: list[NewUser] = []
        self._users_changed: dict[UserId, User] = {}
        self._sessions_ended: dict[UserId, EndedSessions] = {}
        self._accounts_new: dict[AccountId, Account] = {}
        self._accounts_changed: dict[AccountId, Account] = {}
        self._accounts_handed_over: set[AccountId] = set()
        self._payments_new: dict[PaymentId, Payment] = {}
        self._payments_changed: dict[PaymentId, Payment] = {}
        self._transactions_new: list[Transaction] = []
        self._quotes_new: dict[QuoteId, Quote] = {}
        self._quotes_changed: dict[QuoteId, Quote] = {}
        self._refunds_new: list[Refund] = []
        self._webhook_endpoints_new: dict[EndpointId, WebhookEndpoint] = {}
        self._webhook_endpoints_changed: dict[EndpointId, WebhookEndpoint] = {}
        self._webhook_endpoints_deleted: set[EndpointId] = set()
        self._api_keys_new: dict[ApiKeyId, ApiKey] = {}
        self._api_keys_changed: dict[ApiKeyId, ApiKey] = {}
        self._api_keys_deleted: set[ApiKeyId] = set()
        self._customers_new: dict[UserId, Customer] = {}
        self._customers_changed: dict[UserId, Customer] = {}
        self._members_new: dict[MemberId, Member] = {}
        self._members_changed: dict[MemberId, Member] = {}
        self._members_deleted: set[MemberId] = set()
        self._events_new: list[Event] = []
        self._answers_new: list[StoredAnswer] = []
        self._audit_new: list[AuditRecord] = []

    def answer(self, key: AnswerKey) -> StoredAnswer | None:
        """The answer stored under this key, if any."""
        return self._answers.get(key)

    def write(self, decision: Decision[Any]) -> None:
        """Add the decision of a command."""
        for account in decision.accounts:
            if account.id not in self._accounts:
                self._account_ids[account.key] = account.id
                self._account_holders.add(AccountHolder(account.owner_id, account.kind, account.managed_by))
            is_new = account.id not in self._accounts or account.id in self._accounts_new
            (self._accounts_new if is_new else self._accounts_changed)[account.id] = account
            self._accounts[account.id] = account
        for payment in decision.payments:
            before = self._payments.get(payment.id)
            if before is not None and payment.id not in self._payments_new:
                self._payments_changed[payment.id] = payment
            else:
                self._payments_new[payment.id] = payment
            if payment.reference is not None:
                self._write_reference(before, payment)
            self._payments[payment.id] = payment
        for transaction in decision.transactions:
            self._transactions_new.append(transaction)
            self._transactions[transaction.id] = transaction
            if transaction.reverses is not None:
                original = self._transactions[transaction.reverses]
                self._transactions[original.id] = replace(original, reversed_by=transaction.id)
        if (
            decision.customers
            or decision.users
            or decision.users_changed
            or decision.sessions_ended
            or decision.members
        ):
            self._write_customers(decision.customers)
            self._write_handed_over(decision.accounts_handed_over)
            self._write_users(decision)
            self._write_members(decision.members, decision.members_deleted)
        if (
            decision.quotes
            or decision.payment_counters
            or decision.webhook_endpoints
            or decision.webhook_endpoints_deleted
            or decision.api_keys
        ):
            self._write_quotes(decision.quotes)
            self._write_payment_counters(decision.payment_counters)
            self._write_webhook_endpoints(decision.webhook_endpoints, decision.webhook_endpoints_deleted)
            self._write_api_keys(decision.api_keys, decision.api_keys_deleted)
        self._refunds_new.extend(decision.refunds)
        self._events_new.extend(decision.events)

    def _write_users(self, decision: Decision[Any]) -> None:
        for new in decision.users:
            self._users_new.append(new)
            self._emails_taken.add(new.user.email)
            self._user_ids_taken.add(new.user.id)
        for user in decision.users_changed:
            self._users_changed[user.id] = user
            self._users[user.id] = user
        for ended in decision.sessions_ended:
            self._sessions_ended[ended.user_id] = ended

    def _write_reference(self, before: Payment | None, payment: Payment) -> None:
        held = payment.reference_held
        if held is not None:
            self._references_taken.add(held)
        elif before is not None and before.reference_held is not None:
            self._references_given_back.add(before.reference_held)

    def _write_payment_counters(self, changed: Collection[PaymentCounters]) -> None:
        for counters in changed:
            self._payment_counters[counters.customer_id] = counters
            self._payment_counters_changed[counters.customer_id] = counters

    def _write_quotes(self, quotes: Collection[Quote]) -> None:
        for quote in quotes:
            is_new = quote.id not in self._quotes or quote.id in self._quotes_new
            (self._quotes_new if is_new else self._quotes_changed)[quote.id] = quote
            self._quotes[quote.id] = quote

    def _write_webhook_endpoints(self, endpoints: Collection[WebhookEndpoint], deleted: Collection[EndpointId]) -> None:
        for endpoint in endpoints:
            is_new = endpoint.id not in self._webhook_endpoints or endpoint.id in self._webhook_endpoints_new
            (self._webhook_endpoints_new if is_new else self._webhook_endpoints_changed)[endpoint.id] = endpoint
            self._webhook_endpoints[endpoint.id] = endpoint
        for endpoint_id in deleted:
            del self._webhook_endpoints[endpoint_id]
            self._webhook_endpoints_changed.pop(endpoint_id, None)
            if self._webhook_endpoints_new.pop(endpoint_id, None) is None:
                self._webhook_endpoints_deleted.add(endpoint_id)

    def _write_api_keys(self, keys: Collection[ApiKey], deleted: Collection[ApiKeyId]) -> None:
        for key in keys:
            is_new = key.id not in self._api_keys or key.id in self._api_keys_new
            (self._api_keys_new if is_new else self._api_keys_changed)[key.id] = key
            self._api_keys[key.id] = key
        for key_id in deleted:
            del self._api_keys[key_id]
            self._api_keys_changed.pop(key_id, None)
            self._api_keys_deleted.add(key_id)

    def _write_customers(self, customers: Collection[Customer]) -> None:
        for customer in customers:
            before = self._customers.get(customer.id)
            is_new = before is None or customer.id in self._customers_new
            (self._customers_new if is_new else self._customers_changed)[customer.id] = customer
            self._customers[customer.id] = customer
            taken, given_back = customer.external_key, None if before is None else before.external_key
            if taken is not None:
                self._external_ids_taken.add(taken)
            if given_back is not None and given_back != taken:
                self._external_ids_given_back.add(given_back)

    def _write_handed_over(self, account_ids: Collection[AccountId]) -> None:
        for account_id in account_ids:
            account = self._accounts[account_id]
            self._accounts_handed_over.add(account_id)
            self._account_holders.add(AccountHolder(account.owner_id, account.kind))

    def _write_members(self, members: Collection[Member], deleted: Collection[MemberId]) -> None:
        for member in members:
            is_new = member.id not in self._members or member.id in self._members_new
            (self._members_new if is_new else self._members_changed)[member.id] = member
            self._members[member.id] = member
        for member_id in deleted:
            del self._members[member_id]
            self._members_changed.pop(member_id, None)
            self._members_deleted.add(member_id)

    def fork(self) -> "Draft":
        """A copy. Its changes are not in this draft until this draft adopts it."""
        other = object.__new__(Draft)
        other.risk = self.risk
        for name in _SLOTS:
            setattr(other, name, copy(getattr(self, name)))
        return other

    def adopt(self, other: "Draft") -> None:
        """Take over the changes of a fork."""
        for name in _SLOTS:
            setattr(self, name, getattr(other, name))

    def record(self, records: Iterable[AuditRecord]) -> None:
        """Add records of the audit log."""
        self._audit_new.extend(records)

    def store(self, answer: StoredAnswer) -> None:
        """Add an answer."""
        self._answers[answer.key] = answer
        self._answers_new.append(answer)

    def changes(self, latest_at: datetime) -> Changes | None:
        """All changes; `None` if there are none. `latest_at` is the moment of the ids of new transactions."""
        # Every change is written with an answer: without new answers, there are no changes.
        if not self._answers_new:
            return None
        return Changes(
            users_new=self._users_new,
            users_changed=self._users_changed.values(),
            sessions_ended=self._sessions_ended.values(),
            accounts_new=self._accounts_new.values(),
            accounts_changed=self._accounts_changed.values(),
            payments_new=self._payments_new.values(),
            payments_changed=self._payments_changed.values(),
            transactions_new=self._transactions_new,
            quotes_new=self._quotes_new.values(),
            quotes_changed=self._quotes_changed.values(),
            refunds_new=self._refunds_new,
            webhook_endpoints_new=self._webhook_endpoints_new.values(),
            webhook_endpoints_changed=self._webhook_endpoints_changed.values(),
            webhook_endpoints_deleted=self._webhook_endpoints_deleted,
            api_keys_new=self._api_keys_new.values(),
            api_keys_changed=self._api_keys_changed.values(),
            api_keys_deleted=self._api_keys_deleted,
            accounts_handed_over=self._accounts_handed_over,
            customers_new=self._customers_new.values(),
            customers_changed=self._customers_changed.values(),
            payment_counters=self._payment_counters_changed.values(),
            members_new=self._members_new.values(),
            members_changed=self._members_changed.values(),
            members_deleted=self._members_deleted,
            events_new=self._events_new,
            audit_new=self._audit_new,
            answers_new=self._answers_new,
            latest_at=latest_at,
        )


_SLOTS = sorted({*LedgerView.__slots__, *Draft.__slots__} - {"risk"})
