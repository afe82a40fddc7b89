"""The committed records, in dictionaries, and the one lock that transactions take turns on."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from gateway.adapters.memory.delivery_queue import Queue
from gateway.adapters.memory.session_records import MemorySession, MemoryToken
from gateway.application.ports.audit_records import NO_LINKS, ChainEnd, ChainLink
from gateway.application.ports.batch_records import AccountHolder, AnswerKey, StoredAnswer
from gateway.application.ports.delivery_records import Delivery, DeliveryId, Replay, ReplayId
from gateway.application.ports.sessions import SessionId
from gateway.application.ports.users import Credentials
from gateway.domain.account import Account, AccountId, AccountKey
from gateway.domain.api_key import ApiKey, ApiKeyId
from gateway.domain.audit import AuditId, AuditRecord
from gateway.domain.customer import Customer, ExternalId
from gateway.domain.event import Event
from gateway.domain.member import Member, MemberId
from gateway.domain.payment import Payment, PaymentId, PaymentReference, QuoteId
from gateway.domain.payment_counters import PaymentCounters
from gateway.domain.quote import Quote
from gateway.domain.rate import CurrencyPair, ExchangeRate
from gateway.domain.refund import Refund, RefundId
from gateway.domain.second_factor import SecondFactor
from gateway.domain.transaction import Transaction, TransactionId
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import EndpointId, WebhookEndpoint


@dataclass(slots=True)
class MemoryDatabase:
    """Everything that a database would keep. Lost with the process."""

    users: dict[UserId, Credentials] = field(default_factory=dict[UserId, Credentials])
    user_ids: dict[str, UserId] = field(default_factory=dict[str, UserId])
    sessions: dict[SessionId, MemorySession] = field(default_factory=dict[SessionId, MemorySession])
    refresh_tokens: dict[bytes, MemoryToken] = field(default_factory=dict[bytes, MemoryToken])
    accounts: dict[AccountId, Account] = field(default_factory=dict[AccountId, Account])
    account_ids: dict[AccountKey, AccountId] = field(default_factory=dict[AccountKey, AccountId])
    account_holders: dict[AccountHolder, AccountHolder] = field(default_factory=dict[AccountHolder, AccountHolder])
    """By owner and kind alone."""
    payments: dict[PaymentId, Payment] = field(default_factory=dict[PaymentId, Payment])
    payment_counters: dict[UserId, PaymentCounters] = field(default_factory=dict[UserId, PaymentCounters])
    quotes: dict[QuoteId, Quote] = field(default_factory=dict[QuoteId, Quote])
    quotes_of_payments: set[QuoteId] = field(default_factory=set[QuoteId])
    """The quotes that payments name."""
    rates: dict[CurrencyPair, ExchangeRate] = field(default_factory=dict[CurrencyPair, ExchangeRate])
    references: set[PaymentReference] = field(default_factory=set[PaymentReference])
    transactions: dict[TransactionId, Transaction] = field(default_factory=dict[TransactionId, Transaction])
    refunds: dict[RefundId, Refund] = field(default_factory=dict[RefundId, Refund])
    reversals: dict[TransactionId, TransactionId] = field(default_factory=dict[TransactionId, TransactionId])
    """The reversal of each reversed transaction."""
    webhook_endpoints: dict[EndpointId, WebhookEndpoint] = field(default_factory=dict[EndpointId, WebhookEndpoint])
    api_keys: dict[ApiKeyId, ApiKey] = field(default_factory=dict[ApiKeyId, ApiKey])
    customers: dict[UserId, Customer] = field(default_factory=dict[UserId, Customer])
    external_ids: dict[ExternalId, UserId] = field(default_factory=dict[ExternalId, UserId])
    members: dict[MemberId, Member] = field(default_factory=dict[MemberId, Member])
    events: list[Event] = field(default_factory=list[Event])
    """The events that were not deleted."""
    events_deleted: int = 0
    events_kept_since: datetime | None = None
    """Events that are older may have been deleted; `None` if none was."""
    event_cursors: dict[str, int] = field(default_factory=dict[str, int])
    deliveries: dict[DeliveryId, Delivery] = field(default_factory=dict[DeliveryId, Delivery])
    delivery_queues: dict[EndpointId, Queue] = field(default_factory=dict[EndpointId, Queue])
    """The deliveries that wait, by endpoint."""
    webhook_replays: dict[ReplayId, Replay] = field(default_factory=dict[ReplayId, Replay])
    audit_log: dict[AuditId, AuditRecord] = field(default_factory=dict[AuditId, AuditRecord])
    second_factors: dict[UserId, SecondFactor] = field(default_factory=dict[UserId, SecondFactor])
    audit_unlinked: list[AuditId] = field(default_factory=list[AuditId])
    audit_chain: list[ChainLink] = field(default_factory=list[ChainLink])
    audit_deleted: ChainEnd | None = None
    audit_head: ChainEnd = NO_LINKS
    """The last link that was deleted."""
    answers: dict[AnswerKey, StoredAnswer] = field(default_factory=dict[AnswerKey, StoredAnswer])
    latest_at: datetime | None = None
    transaction: asyncio.Lock = field(default_factory=asyncio.Lock)

    def append_audit(self, record: AuditRecord | None) -> None:
        """Add a record to the audit log, if there is one. It waits for its place in the chain."""
        if record is not None:
            self.audit_log[record.id] = record
            self.audit_unlinked.append(record.id)

    @property
    def newest_position(self) -> int:
        """The position of the last event; 0 if there is none."""
        return self.events_deleted + len(self.events)

    def events_after(self, position: int, limit: int) -> Iterator[tuple[int, Event]]:
        """The first events after a position, each with its own."""
        first = max(position - self.events_deleted, 0)
        return enumerate(self.events[first : first + limit], self.events_deleted + first + 1)

    def event_at(self, position: int) -> Event | None:
        """The event at a position; `None` if it was deleted, or is not there yet."""
        index = position - self.events_deleted - 1
        return self.events[index] if 0 <= index < len(self.events) else None
