"""What is kept: a table for each kind of record, with the indexes by which the storage finds them."""

from datetime import datetime

import msgspec

from gateway import (
    Account,
    ApiKey,
    AuditId,
    AuditRecord,
    Customer,
    EndpointId,
    ExchangeRate,
    Member,
    Payment,
    Quote,
    Refund,
    Replay,
    SecondFactor,
    SessionId,
    Transaction,
    UserId,
    WebhookEndpoint,
)
from gateway.ports import (
    ChainEnd,
    ChainLink,
    Credentials,
    Delivery,
    Failures,
    FeedEvent,
    PaymentCounters,
    PaymentReference,
    StoredAnswer,
    Successor,
    WorkerId,
)
from lmdb_storage.tables import Table, Value, moment, moments, name, names, number


class Session(msgspec.Struct):
    """A session. `expires_at` is when its unused refresh token expires, `revoked_at` when it was ended."""

    id: SessionId
    user_id: UserId
    network: str
    expires_at: datetime
    revoked_at: datetime | None = None


class Token(msgspec.Struct):
    """A refresh token. `repeated` tells whether it was given out more than once."""

    token_hash: bytes
    session_id: SessionId
    expires_at: datetime
    used_at: datetime | None = None
    successor: Successor | None = None
    repeated: bool = False


class FailuresOf(msgspec.Struct):
    """The failed logins of a scope."""

    scope: str
    failures: Failures


class Cursor(msgspec.Struct):
    """How far a reader of the feed has come."""

    name: str
    position: int


class KeptDelivery(msgspec.Struct):
    """A delivery, and when it was decided when it is due."""

    delivery: Delivery
    planned_at: datetime | None


class Queue(msgspec.Struct):
    """An endpoint with deliveries: when it may be leased next, the lease, and what is known of its receiver."""

    endpoint_id: EndpointId
    due_at: datetime | None = None
    planned_at: datetime | None = None
    leased_by: WorkerId | None = None
    leased_until: datetime | None = None
    paused_until: datetime | None = None
    paused_at: datetime | None = None
    failing_since: datetime | None = None
    is_slow: bool = False


class Unlinked(msgspec.Struct):
    """A record of the audit log that waits for its place in the chain."""

    audit_id: AuditId


def reference_name(reference: PaymentReference) -> bytes:
    """The value of a reference in the index of those that are held."""
    return name(*reference)


def token_name(token_hash: bytes) -> bytes:
    """The value of the hash of a token in the index of invitations."""
    return name(token_hash.hex())


def _invitation(member: Member) -> list[bytes]:
    return [] if member.token_hash is None or member.removed_at is not None else [token_name(member.token_hash)]


def _membership(member: Member) -> list[bytes]:
    return [] if member.user_id is None or member.removed_at is not None else [name(member.user_id, member.merchant_id)]


def _references(payment: Payment) -> list[bytes]:
    held = payment.reference_held
    return [] if held is None else [reference_name(held)]


def _expiry(payment: Payment) -> list[bytes]:
    """Of those whose status changes then."""
    expires_at = payment.expires_at
    is_open = expires_at is not None and payment.status_at(expires_at) is not payment.status
    return moments(expires_at) if is_open else []


def _ends_of_key(key: ApiKey) -> list[bytes]:
    return moments(key.revoked_at, None if key.replaced_by is None else key.expires_at)


def _due(kept: KeptDelivery) -> list[bytes]:
    delivery = kept.delivery
    at = delivery.due_at
    return [] if at is None else [name(delivery.endpoint_id) + moment(at) + number(delivery.position)]


def _of_object(kept: KeptDelivery) -> list[bytes]:
    delivery = kept.delivery
    waits = delivery.due_at is not None
    return [name(delivery.endpoint_id, delivery.object_id) + number(delivery.position)] if waits else []


USERS = (
    Table("users", Credentials, lambda each: each.user.id)
    .unique(email=lambda each: names(each.user.email))
    .index(disabled=lambda each: moments(each.user.disabled_at))
)
SESSIONS = Table("sessions", Session, lambda each: each.id).index(
    user=lambda each: names(each.user_id),
    network=lambda each: [name(each.user_id, each.network)],
    revoked=lambda each: moments(each.revoked_at),
    over=lambda each: [moment(min(each.expires_at, each.revoked_at or each.expires_at))],
)
TOKENS = Table("tokens", Token, lambda each: each.token_hash).index(session=lambda each: names(each.session_id))
SECOND_FACTORS = Table("second_factors", SecondFactor, lambda each: each.user_id)
LOGIN_FAILURES = Table("login_failures", FailuresOf, lambda each: name(each.scope)).index(
    last=lambda each: moments(each.failures.last_at)
)
API_KEYS = Table("api_keys", ApiKey, lambda each: each.id).index(
    owner=lambda each: names(each.owner_id), ended=_ends_of_key
)
CUSTOMERS = (
    Table("customers", Customer, lambda each: each.id)
    .unique(external_key=lambda each: [] if each.external_key is None else [name(*each.external_key)])
    .index(
        merchant=lambda each: names(each.merchant_id),
        external_id=lambda each: names(each.external_id),
        email=lambda each: names(each.email),
    )
)
MEMBERS = Table("members", Member, lambda each: each.id).index(
    merchant=lambda each: names(each.merchant_id),
    shown=lambda each: names(each.merchant_id) if each.removed_at is None else [],
    user=lambda each: names(each.user_id) if each.removed_at is None else [],
    membership=_membership,
    token=_invitation,
    changed=lambda each: moments(each.changed_at),
)
ACCOUNTS = (
    Table("accounts", Account, lambda each: each.id)
    .unique(key=lambda each: [name(*each.key)])
    .index(
        owner=lambda each: names(each.owner_id),
        holder=lambda each: [name(each.owner_id, each.kind)],
        currency=lambda each: names(each.currency),
    )
)
PAYMENTS = (
    Table("payments", Payment, lambda each: each.id)
    .unique(held=_references, quote=lambda each: names(each.quote_id))
    .index(
        customer=lambda each: names(each.customer_id),
        merchant=lambda each: names(each.merchant_id),
        reference=lambda each: names(each.reference),
        expiry=_expiry,
    )
)
PAYMENT_COUNTERS = Table("payment_counters", PaymentCounters, lambda each: each.customer_id)
QUOTES = Table("quotes", Quote, lambda each: each.id).index(
    unused=lambda each: moments(each.expires_at if each.payment_id is None else None)
)
REFUNDS = Table("refunds", Refund, lambda each: each.id).index(payment=lambda each: names(each.payment_id))
TRANSACTIONS = (
    Table("transactions", Transaction, lambda each: each.id)
    .unique(reverses=lambda each: names(each.reverses))
    .index(
        customer=lambda each: names(each.customer_id),
        merchant=lambda each: names(each.merchant_id),
        payment=lambda each: names(each.payment_id),
        account=lambda each: {
            name(account_id)
            for transfer in each.transfers
            for account_id in (transfer.debit_account_id, transfer.credit_account_id)
        },
    )
)
RATES = Table("rates", ExchangeRate, lambda each: "/".join(each.pair))
ANSWERS = Table("answers", StoredAnswer, lambda each: name(*each.key)).index(
    created=lambda each: moments(each.created_at)
)
LATEST_AT = Value("latest_at", datetime)

EVENTS = Table("events", FeedEvent, lambda each: number(each.position)).unique(id=lambda each: names(each.id))
EVENTS_KEPT_SINCE = Value("events_kept_since", datetime)
CURSORS = Table("cursors", Cursor, lambda each: each.name)

ENDPOINTS = Table("endpoints", WebhookEndpoint, lambda each: each.id).index(
    owner=lambda each: names(each.owner_id),
    enabled=lambda each: names(each.owner_id) if each.enabled else [],
    all_merchants=lambda each: [b"all"] if each.enabled and each.all_merchants else [],
)
DELIVERIES = Table("deliveries", KeptDelivery, lambda each: each.delivery.id).index(
    endpoint=lambda each: names(each.delivery.endpoint_id),
    due=_due,
    object=_of_object,
    waiting=lambda each: [number(each.delivery.position)] if each.delivery.due_at is not None else [],
    made=lambda each: moments(each.delivery.created_at if each.delivery.due_at is not None else None),
    planned=lambda each: moments(each.planned_at),
    ended=lambda each: moments(each.delivery.ended_at),
)
QUEUES = Table("queues", Queue, lambda each: each.endpoint_id).index(
    due=lambda each: moments(each.due_at), planned=lambda each: moments(each.planned_at)
)
REPLAYS = Table("replays", Replay, lambda each: each.id).index(
    endpoint=lambda each: names(each.endpoint_id), since=lambda each: moments(each.created_from)
)

AUDIT_LOG = (
    Table("audit_log", AuditRecord, lambda each: each.id)
    .index(owner=lambda each: names(each.note.owner_id))
    .without_unreadable()
)
AUDIT_UNLINKED = Table("audit_unlinked", Unlinked, lambda each: each.audit_id)
AUDIT_CHAIN = Table("audit_chain", ChainLink, lambda each: number(each.position)).unique(
    record=lambda each: names(each.audit_id)
)
AUDIT_DELETED = Value("audit_deleted", ChainEnd)
"""The last link that housekeeping has deleted."""
AUDIT_HEAD = Value("audit_head", ChainEnd)
"""The end of the chain: cutting the last links off takes a change of this row, too."""
