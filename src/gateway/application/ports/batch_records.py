"""Records that only units of work read and write: stored answers, new users, ended sessions, holders of accounts."""

from dataclasses import field
from datetime import datetime
from typing import NamedTuple

from gateway.domain.account import AccountKind
from gateway.domain.event import EventId
from gateway.domain.immutable import immutable
from gateway.domain.payment import PaymentId
from gateway.domain.user import User, UserId


class AnswerKey(NamedTuple):
    """An idempotency key, in the scope of the owner who chose it."""

    owner_id: UserId
    key: str


@immutable
class StoredAnswer:
    """The answer to an idempotency key.

    Attributes:
        fingerprint: Of the request that it answers.
        body: The answer, in the encoding of its caller. Empty if it is rebuilt from the answers to the parts of a bulk
            submission.
        event_id: An event of the same transaction whose data the body ends with, to the byte: a storage need not keep
            that part twice. An answer that was loaded has none.
    """

    key: AnswerKey
    fingerprint: bytes
    body: bytes = field(repr=False)  # It may hold a secret that is shown once.
    created_at: datetime
    event_id: EventId | None = field(default=None, compare=False)


@immutable
class EndedSessions:
    """All sessions of a user end, at the time of the decision."""

    user_id: UserId
    at: datetime


@immutable
class NewUser:
    """A user who registers, with the hash of their password."""

    user: User
    password_hash: str


class Payer(NamedTuple):
    """Whose account in the currency of a payment is wanted, when only the payment knows the currency."""

    payment_id: PaymentId
    customer_id: UserId


class AccountHolder(NamedTuple):
    """An owner who has an account of a kind, in any currency, and the merchant who manages them."""

    owner_id: UserId
    kind: AccountKind
    managed_by: UserId | None = None
