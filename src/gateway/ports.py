"""The ports: what a program implements to bring parts of its own, and the records that they take and return.

A port is a Protocol, and needs no base class. `gateway.open_gateway` takes the parts, `gateway.contracts` proves them.
"""

from gateway.application.audit_chain import FIRST_HASH, chained
from gateway.application.ports.api_keys import KeyAtUse, StoredApiKeys
from gateway.application.ports.audit_log import AuditFilter, AuditLog
from gateway.application.ports.audit_records import ChainedRecord, ChainEnd, ChainLink, StrayRecord
from gateway.application.ports.batch_records import (
    AccountHolder,
    AnswerKey,
    EndedSessions,
    NewUser,
    Payer,
    StoredAnswer,
)
from gateway.application.ports.busy import RecordBusy, StorageBusy
from gateway.application.ports.clock import Clock
from gateway.application.ports.customers import CustomerFilter, StoredCustomers
from gateway.application.ports.deliveries import (
    AHEAD_MAX,
    VOID_LEASES,
    WEBHOOKS,
    Deliveries,
    DeliveryFanOut,
    DeliveryQueues,
    DeliveryRecords,
)
from gateway.application.ports.delivery_records import (
    WAITING_COUNTED_MAX,
    Attempt,
    Backlog,
    Candidates,
    Delivery,
    DeliveryId,
    DeliveryOutcome,
    DueDelivery,
    EventHead,
    Lease,
    Predecessor,
    QueueState,
    Recording,
    Replay,
    ReplayId,
    WorkerId,
)
from gateway.application.ports.event_cursors import EventCursors
from gateway.application.ports.event_sink import EventSink, SinkUnavailable
from gateway.application.ports.events import EventFeed, EventFilter, FeedEvent, FoundEvents
from gateway.application.ports.housekeeping import Deleted, EventReaders, Housekeeping
from gateway.application.ports.identifiers import Identifiers, NewId
from gateway.application.ports.login_failures import ChangeOfFailures, Failures, LoginFailures
from gateway.application.ports.members import MemberAtUse, StoredMembers
from gateway.application.ports.passwords import HashingOverloaded, PasswordCheck, PasswordHasher
from gateway.application.ports.rate_budgets import ChangeOfBudget, RateBudgets
from gateway.application.ports.rates import Rates
from gateway.application.ports.reader import (
    AccountFilter,
    Audit,
    CurrencyTotals,
    LedgerSize,
    Listed,
    PaymentFilter,
    Reader,
    StatusChange,
    TransactionFilter,
    UsedQuote,
)
from gateway.application.ports.related_records import (
    AccountsToLoad,
    account_holders_to_find,
    accounts_to_load,
    counters_to_load,
    fee_accounts_to_load,
    quotes_to_load,
)
from gateway.application.ports.risk import RiskRules
from gateway.application.ports.second_factors import ChangeOfFactor, SecondFactors, TimeCodes
from gateway.application.ports.sessions import RotationResult, SessionId, Sessions, StoredToken, Successor, TokenStatus
from gateway.application.ports.storage import Scheduling, Storage, sequential
from gateway.application.ports.tokens import AccessClaims, AccessTokens
from gateway.application.ports.unit_of_work import (
    Changes,
    Conflict,
    KeyBusy,
    KeyTaken,
    Needs,
    Records,
    StorageReadOnly,
    StorageRefused,
    StorageUnavailable,
    TryAgain,
    UnitOfWork,
    UnitOfWorkFactory,
    Wanted,
)
from gateway.application.ports.users import Credentials, UserAtLogin, Users
from gateway.application.ports.webhook_endpoints import WebhookEndpoints
from gateway.application.ports.webhook_sender import (
    WebhookError,
    WebhookMessage,
    WebhookNotSent,
    WebhookResponse,
    WebhookSender,
)
from gateway.domain.account import MAY_BE_NEGATIVE
from gateway.domain.event import Event
from gateway.domain.payment import PaymentReference
from gateway.domain.payment_counters import Bucket, PaymentCounters
from gateway.domain.risk import ALLOWED, PaymentAttempt, RiskAction, RiskVerdict, refused, reviewed
from gateway.domain.risk_limits import RiskLimit, RiskLimits, risk_limit

__all__ = [
    "AHEAD_MAX",
    "ALLOWED",
    "FIRST_HASH",
    "MAY_BE_NEGATIVE",
    "VOID_LEASES",
    "WAITING_COUNTED_MAX",
    "WEBHOOKS",
    "AccessClaims",
    "AccessTokens",
    "AccountFilter",
    "AccountHolder",
    "AccountsToLoad",
    "AnswerKey",
    "Attempt",
    "Audit",
    "AuditFilter",
    "AuditLog",
    "Backlog",
    "Bucket",
    "Candidates",
    "ChainEnd",
    "ChainLink",
    "ChainedRecord",
    "ChangeOfBudget",
    "ChangeOfFactor",
    "ChangeOfFailures",
    "Changes",
    "Clock",
    "Conflict",
    "Credentials",
    "CurrencyTotals",
    "CustomerFilter",
    "Deleted",
    "Deliveries",
    "Delivery",
    "DeliveryFanOut",
    "DeliveryId",
    "DeliveryOutcome",
    "DeliveryQueues",
    "DeliveryRecords",
    "DueDelivery",
    "EndedSessions",
    "Event",
    "EventCursors",
    "EventFeed",
    "EventFilter",
    "EventHead",
    "EventReaders",
    "EventSink",
    "Failures",
    "FeedEvent",
    "FoundEvents",
    "HashingOverloaded",
    "Housekeeping",
    "Identifiers",
    "KeyAtUse",
    "KeyBusy",
    "KeyTaken",
    "Lease",
    "LedgerSize",
    "Listed",
    "LoginFailures",
    "MemberAtUse",
    "Needs",
    "NewId",
    "NewUser",
    "PasswordCheck",
    "PasswordHasher",
    "Payer",
    "PaymentAttempt",
    "PaymentCounters",
    "PaymentFilter",
    "PaymentReference",
    "Predecessor",
    "QueueState",
    "RateBudgets",
    "Rates",
    "Reader",
    "RecordBusy",
    "Recording",
    "Records",
    "Replay",
    "ReplayId",
    "RiskAction",
    "RiskLimit",
    "RiskLimits",
    "RiskRules",
    "RiskVerdict",
    "RotationResult",
    "Scheduling",
    "SecondFactors",
    "SessionId",
    "Sessions",
    "SinkUnavailable",
    "StatusChange",
    "Storage",
    "StorageBusy",
    "StorageReadOnly",
    "StorageRefused",
    "StorageUnavailable",
    "StoredAnswer",
    "StoredApiKeys",
    "StoredCustomers",
    "StoredMembers",
    "StoredToken",
    "StrayRecord",
    "Successor",
    "TimeCodes",
    "TokenStatus",
    "TransactionFilter",
    "TryAgain",
    "UnitOfWork",
    "UnitOfWorkFactory",
    "UsedQuote",
    "UserAtLogin",
    "Users",
    "Wanted",
    "WebhookEndpoints",
    "WebhookError",
    "WebhookMessage",
    "WebhookNotSent",
    "WebhookResponse",
    "WebhookSender",
    "WorkerId",
    "account_holders_to_find",
    "accounts_to_load",
    "chained",
    "counters_to_load",
    "fee_accounts_to_load",
    "quotes_to_load",
    "refused",
    "reviewed",
    "risk_limit",
    "sequential",
]
