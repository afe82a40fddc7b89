"""ApiKey: what a machine signs in with, on behalf of its owner."""

from collections.abc import Collection
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import Final, NewType, cast

from gateway.domain.api_key_errors import ApiKeyEnded
from gateway.domain.checks import check_free_text, check_id, check_instant, check_integer, check_text, check_type
from gateway.domain.errors import invalid
from gateway.domain.immutable import immutable
from gateway.domain.limits import API_KEY_DAYS_MAX, API_KEY_NAME_LENGTH_MAX, API_KEY_REQUESTS_MAX, POSITION_MAX
from gateway.domain.member_role import SCOPES_OF_MEMBER, MemberRole
from gateway.domain.scope import SCOPES_OF_ROLE, Scope
from gateway.domain.user import Role, UserId

ApiKeyId = NewType("ApiKeyId", str)

SECRET_HASH_BYTES: Final = 32
LAST_CHARACTERS: Final = 4


@immutable
class ApiKey:
    """An API key, without its secret.

    Attributes:
        owner_role: The role of the owner, which never changes.
        scopes: What it may be used for, as far as the owner's role allows it, in the order of `Scope`. A key that a
            newer version has made may have none that this version knows.
        secret_hash: SHA-256 of the secret, which is the last part of the key.
        last_four: The last characters of the secret, by which its owner recognizes it.
        expires_at: The first moment at which it is no longer accepted; `None` if there is none.
        revoked_at: When its owner ended it.
        replaced_by: The key that a rotation has put in its place.
        last_used_at: When it was last used, to the minute.
        sequence: The number of events about this key.
        requests_per_minute: How many requests it may make, which count for its owner, too; `None` for as many as the
            owner.

    Raises:
        InvalidInput: A field is not valid.
    """

    id: ApiKeyId
    owner_id: UserId
    owner_role: Role
    name: str
    scopes: tuple[Scope, ...]
    secret_hash: bytes = field(repr=False)
    last_four: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = None
    replaced_by: ApiKeyId | None = None
    last_used_at: datetime | None = None
    sequence: int = 1
    requests_per_minute: int | None = None

    def __post_init__(self) -> None:
        check_id("id", self.id)
        check_id("owner_id", self.owner_id)
        check_type("owner_role", self.owner_role, Role)
        check_name(self.name)
        check_type("scopes", self.scopes, tuple)
        check_secret_hash(self.secret_hash, self.last_four)
        check_instant("created_at", self.created_at)
        for name in ("expires_at", "revoked_at", "last_used_at"):
            if getattr(self, name) is not None:
                check_instant(name, getattr(self, name))
        if self.replaced_by is not None:
            check_id("replaced_by", self.replaced_by)
        check_integer("sequence", self.sequence, 0, POSITION_MAX)
        check_requests(self.requests_per_minute)

    @property
    def customer_id(self) -> UserId | None:
        """The customer who sees the events about this key."""
        return self.owner_id if self.owner_role is Role.CUSTOMER else None

    @property
    def merchant_id(self) -> UserId | None:
        """The merchant who sees the events about this key. Only operators see those about their keys."""
        return self.owner_id if self.owner_role is Role.MERCHANT else None

    @property
    def ends_at(self) -> datetime | None:
        """When it ends or has ended; `None` if nothing ends it."""
        return self.expires_at if self.revoked_at is None else self.revoked_at

    def has_ended(self, now: datetime) -> bool:
        """Whether it is no longer accepted. A revoked key has ended, also one that a clock ahead has revoked."""
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now)

    def revoke(self, *, now: datetime) -> "ApiKey":
        """A copy that is no longer accepted; this key if it was revoked before."""
        return self if self.revoked_at is not None else replace(self, revoked_at=now, sequence=self.sequence + 1)

    def rotate(self, replaced_by: ApiKeyId, *, seconds: int, now: datetime) -> "ApiKey":
        """A copy that another key replaces, and that ends after so many seconds; never later than before.

        Raises:
            ApiKeyEnded: It has ended, or another key has replaced it.
        """
        if self.has_ended(now) or self.replaced_by is not None:
            raise ApiKeyEnded("This API key has ended, or was replaced. Create another one.")
        after = replace(self, replaced_by=replaced_by, sequence=self.sequence + 1)
        if seconds == 0:
            return replace(after, revoked_at=now)
        ends_at = now + timedelta(seconds=seconds)
        return replace(after, expires_at=ends_at if self.expires_at is None else min(ends_at, self.expires_at))


def check_name(name: object) -> None:
    """Refuse what is not a name that a key may have: of 1 to `API_KEY_NAME_LENGTH_MAX` characters."""
    check_free_text("name", name, API_KEY_NAME_LENGTH_MAX, length_min=1)


def check_requests(requests_per_minute: int | None) -> None:
    """Refuse what is not a limit of requests in a minute that a key may have, or `None`."""
    if requests_per_minute is not None:
        check_integer("requests_per_minute", requests_per_minute, 1, API_KEY_REQUESTS_MAX)


def check_scopes(scopes: object, role: Role) -> None:
    """Refuse what is not a tuple of scopes, at least one and each once, or more than an owner of this role may."""
    check_type("scopes", scopes, tuple)
    given = cast("tuple[object, ...]", scopes)
    if not given or len(set(given)) < len(given):
        raise invalid("scopes", "value_invalid", "There must be at least one scope, and each once.")
    allowed = SCOPES_OF_ROLE[role]
    for each in given:
        check_type("scopes", each, Scope)
        if each not in allowed:
            raise invalid("scopes", "scope_not_allowed", f"The role {role} may not do what the scope {each} is for.")


def check_scopes_of_member(scopes: Collection[Scope], role: MemberRole) -> None:
    """Refuse scopes for what a member of the owner with this role may not do."""
    for each in scopes:
        if each not in SCOPES_OF_MEMBER[role]:
            raise invalid("scopes", "scope_not_allowed", f"A member who is {role} may not do what {each} is for.")


def in_order(scopes: Collection[Scope]) -> tuple[Scope, ...]:
    """Scopes in the order of `Scope`."""
    return tuple(each for each in Scope if each in scopes)


def check_secret_hash(secret_hash: object, last_four: object) -> None:
    """Refuse what is not a SHA-256, or not the last four characters of a key."""
    check_type("secret_hash", secret_hash, bytes)
    if len(cast("bytes", secret_hash)) != SECRET_HASH_BYTES:
        raise invalid("secret_hash", "value_invalid", f"A SHA-256 has {SECRET_HASH_BYTES} bytes.")
    check_text("last_four", last_four, LAST_CHARACTERS, length_min=LAST_CHARACTERS)


def check_expiry(expires_at: datetime | None, now: datetime) -> None:
    """Refuse an expiry that has passed, or that is further away than `API_KEY_DAYS_MAX`."""
    if expires_at is not None and not now < expires_at <= now + timedelta(days=API_KEY_DAYS_MAX):
        raise invalid("expires_at", "value_invalid", f"This must be in the next {API_KEY_DAYS_MAX} days.")
