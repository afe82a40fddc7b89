"""Command, Moment and Decision: the parts of a use-case. A command never loads, saves or waits."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.batch_records import EndedSessions, NewUser
from gateway.application.ports.identifiers import Identifiers, NewId
from gateway.application.ports.unit_of_work import Needs
from gateway.application.views.events import event_data
from gateway.domain.account import Account, AccountId
from gateway.domain.api_key import ApiKey, ApiKeyId
from gateway.domain.audit import AuditNote
from gateway.domain.customer import Customer
from gateway.domain.errors import Refusal
from gateway.domain.event import Event, EventId, EventObject
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.member import Member, MemberId
from gateway.domain.payment import Payment, PaymentId
from gateway.domain.payment_counters import PaymentCounters
from gateway.domain.quote import Quote
from gateway.domain.refund import Refund
from gateway.domain.transaction import Transaction, TransactionId, TransactionType
from gateway.domain.transfer import Transfer
from gateway.domain.user import User, UserId
from gateway.domain.webhook_endpoint import EndpointId, WebhookEndpoint

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class Parties(Protocol):
    """The customer and the merchant who may see a record; either may be absent."""

    @property
    def customer_id(self) -> UserId | None:
        """The customer."""
        ...

    @property
    def merchant_id(self) -> UserId | None:
        """The merchant."""
        ...


@immutable
class Moment:
    """The time of a decision, with the ids, events and transactions that it dates.

    Attributes:
        now: The time, by the clock of this process.
        new_id: Makes ids of `now`.
        transactions_at: `now`; or just after the newest transaction of the accounts, if another server's clock is
            ahead.
        new_transaction_id: Makes ids of `transactions_at`, so that the ids of an account's transactions sort in the
            order of its versions.
    """

    now: datetime
    new_id: NewId
    transactions_at: datetime
    new_transaction_id: NewId

    @classmethod
    def after(cls, latest_at: datetime | None, now: datetime, identifiers: Identifiers) -> Self:
        """The moment `now`, with ids of transactions later than `latest_at`, even if the clock is behind it."""
        new_id = identifiers.of(now)
        if latest_at is None or latest_at < now:
            return cls(now=now, new_id=new_id, transactions_at=now, new_transaction_id=new_id)
        then = latest_at + timedelta.resolution
        return cls(now=now, new_id=new_id, transactions_at=then, new_transaction_id=identifiers.of(then))

    def event(self, kind: EventType, of: EventObject, *, parties: Parties, sequence: int = 1) -> Event:
        """A new event: `of` is the object after the change, `sequence` its version (1 if it never changes again)."""
        return Event(
            id=EventId(self.new_id("evt")),
            type=kind,
            object=of,
            sequence=sequence,
            customer_id=parties.customer_id,
            merchant_id=parties.merchant_id,
            created_at=self.now,
            data=event_data(of),
        )

    def transaction(
        self,
        kind: TransactionType,
        transfers: Iterable[Transfer],
        *,
        parties: Parties,
        payment_id: PaymentId | None = None,
        description: str | None = None,
        reverses: TransactionId | None = None,
    ) -> Transaction:
        """A new transaction of these transfers, at least one."""
        return Transaction(
            id=TransactionId(self.new_transaction_id("txn")),
            type=kind,
            transfers=tuple(transfers),
            payment_id=payment_id,
            customer_id=parties.customer_id,
            merchant_id=parties.merchant_id,
            description=description,
            reverses=reverses,
            created_at=self.now,
        )


@immutable
class Decision(Generic[Result_co]):
    """The outcome of a command, and the records to write.

    If a record occurs twice, the last one counts. A refusal may have records: a payment without funds is stored as
    failed, and a requested payment stores the failure code.
    """

    outcome: Result_co | Refusal
    users: Collection[NewUser] = ()
    users_changed: Collection[User] = ()
    sessions_ended: Collection[EndedSessions] = ()
    accounts: Collection[Account] = ()
    payments: Collection[Payment] = ()
    quotes: Collection[Quote] = ()
    refunds: Collection[Refund] = ()
    transactions: Collection[Transaction] = ()
    webhook_endpoints: Collection[WebhookEndpoint] = ()
    webhook_endpoints_deleted: Collection[EndpointId] = ()
    api_keys: Collection[ApiKey] = ()
    api_keys_deleted: Collection[ApiKeyId] = ()
    """Keys that make room for one of `api_keys`."""
    customers: Collection[Customer] = ()
    accounts_handed_over: Collection[AccountId] = ()
    """Of `accounts`: those that nobody manages any more."""
    payment_counters: Collection[PaymentCounters] = ()
    members: Collection[Member] = ()
    members_deleted: Collection[MemberId] = ()
    """Members who make room for one of `members`."""
    events: Collection[Event] = ()
    notes: Collection[AuditNote] = ()
    """What the audit log records of it; nothing of payments."""


class Command(ABC, Generic[Result]):
    """A change of the ledger: an `immutable` record of plain fields, which can be decided again if a commit fails."""

    __slots__ = ()

    result_type: ClassVar[Any]
    """The type of `Result`, to decode stored answers."""

    @abstractmethod
    def needs(self) -> Needs:
        """The records to load."""

    @abstractmethod
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Result]:
        """Decide on the loaded records: a pure function, which writes nothing.

        Raises:
            Refusal: A rule forbids it. Only the answer is written.
        """
