"""AuditRecord: who has done what, to what, when, and from where."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType, TypeAlias

from gateway.domain.checks import check_id, check_text, check_type
from gateway.domain.immutable import immutable
from gateway.domain.limits import ADDRESS_LENGTH_MAX, REQUEST_ID_LENGTH_MAX
from gateway.domain.user import SYSTEM, Role, UserId

AuditId = NewType("AuditId", str)

Fact: TypeAlias = str | int | bool | None
Facts: TypeAlias = Mapping[str, Fact]
"""What is told of an object, by name. Never a secret, a password, a token or an e-mail address."""

CLI: Final = "cli"
"""The actor of commands on the command line."""


class ActorKind(StrEnum):
    """What somebody is who does something."""

    ANONYMOUS = "anonymous"
    USER = "user"
    OPERATOR = "operator"
    API_KEY = "api_key"
    CLI = "cli"
    SYSTEM = "system"


class AuditAction(StrEnum):
    """What is recorded: in the past tense, the object first."""

    SESSION_STARTED = "session.started"
    SESSION_REFUSED = "session.refused"
    SESSIONS_ENDED = "sessions.ended"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - the name of an action.
    PASSWORD_RESET = "password.reset"  # noqa: S105 - as above.
    EMAIL_CHANGED = "email.changed"
    SECOND_FACTOR_ENABLED = "second_factor.enabled"
    SECOND_FACTOR_DISABLED = "second_factor.disabled"
    SECOND_FACTOR_RESET = "second_factor.reset"
    RECOVERY_CODE_USED = "recovery_code.used"
    OPERATOR_CREATED = "operator.created"
    USER_DISABLED = "user.disabled"
    USER_ENABLED = "user.enabled"
    ACCOUNT_FROZEN = "account.frozen"
    ACCOUNT_UNFROZEN = "account.unfrozen"
    ACCOUNT_CLOSED = "account.closed"
    FEES_CHANGED = "fees.changed"
    RATE_CHANGED = "rate.changed"
    DEPOSIT_MADE = "deposit.made"
    PAYMENT_APPROVED = "payment.approved"
    PAYMENT_DECLINED = "payment.declined"
    TRANSACTION_REVERSED = "transaction.reversed"
    API_KEY_CREATED = "api_key.created"
    API_KEY_ROTATED = "api_key.rotated"
    API_KEY_REVOKED = "api_key.revoked"
    CUSTOMER_CHANGED = "customer.changed"
    CUSTOMER_INVITED = "customer.invited"
    CUSTOMER_JOINED = "customer.joined"
    MEMBER_INVITED = "member.invited"
    MEMBER_JOINED = "member.joined"
    MEMBER_CHANGED = "member.changed"
    MEMBER_REMOVED = "member.removed"
    ENDPOINT_CREATED = "endpoint.created"
    ENDPOINT_CHANGED = "endpoint.changed"
    ENDPOINT_DISABLED = "endpoint.disabled"
    ENDPOINT_DELETED = "endpoint.deleted"
    AUDIT_EXPORTED = "audit.exported"
    ENDPOINT_SECRET_ROTATED = "endpoint.secret_rotated"  # noqa: S105 - as above.


BY_OPERATORS: Final = frozenset({AuditAction.DEPOSIT_MADE})
"""What operators alone do, with an API key, too."""
OPERATORS: Final = "operators"
"""In place of the id of an operator, for merchants."""


@immutable
class Actor:
    """Who does something.

    Attributes:
        kind: What they are.
        id: Of the user or the key; `cli` or `system` for those who have none.
    """

    kind: ActorKind
    id: str

    def __post_init__(self) -> None:
        check_type("kind", self.kind, ActorKind)
        check_id("id", self.id)


THE_SYSTEM: Final = Actor(kind=ActorKind.SYSTEM, id=SYSTEM)
"""The gateway itself, its workers, and programs that name nobody."""


ANYBODY: Final = Actor(kind=ActorKind.ANONYMOUS, id="anonymous")
"""Somebody who has not signed in."""

THE_LOG: Final = "audit"
"""In place of the id of an object: the audit log itself."""

UNKNOWN: Final = "unknown"
"""In place of the id of an object that does not exist."""


def actor_of(user_id: UserId, role: Role) -> Actor:
    """A user as an actor."""
    return Actor(kind=ActorKind.OPERATOR if role is Role.OPERATOR else ActorKind.USER, id=user_id)


@immutable
class Origin:
    """Who does something, and from where.

    Attributes:
        actor: Who.
        address: The network address of the client; on the command line the user and the host.
        request_id: Of the request over HTTP.
    """

    actor: Actor
    address: str | None = None
    request_id: str | None = None

    def __post_init__(self) -> None:
        check_type("actor", self.actor, Actor)
        if self.address is not None:
            check_text("address", self.address, ADDRESS_LENGTH_MAX)
        if self.request_id is not None:
            check_text("request_id", self.request_id, REQUEST_ID_LENGTH_MAX)

    @property
    def origin(self) -> "Origin":
        """Itself: what has an origin may stand in its place."""
        return self


@immutable
class AuditNote:
    """What a command has done that the audit log records. Who has done it, the command does not know.

    Attributes:
        action: What.
        object_id: To what.
        owner_id: The user whom it concerns: whose object it is, or who they are. A merchant sees these records.
        reason: Why, in the words of the actor.
        before: What of the object was different before.
        after: What is different now.
    """

    action: AuditAction
    object_id: str
    owner_id: UserId | None = None
    reason: str | None = None
    before: Facts = field(default_factory=dict[str, Fact], hash=False)
    after: Facts = field(default_factory=dict[str, Fact], hash=False)


@immutable
class AuditRecord:
    """One row of the audit log. It never changes.

    Attributes:
        id: Time-ordered.
        origin: Who has done it, and from where.
        note: What was done.
        created_at: When.
    """

    id: AuditId
    origin: Origin
    note: AuditNote
    created_at: datetime


def is_by_operators(record: AuditRecord) -> bool:
    """Whether an operator has done it: over HTTP or on the command line."""
    kind = record.origin.actor.kind
    return kind in (ActorKind.OPERATOR, ActorKind.CLI) or record.note.action in BY_OPERATORS
