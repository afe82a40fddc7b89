"""Member: a user who acts for a merchant, or who is invited to."""

from dataclasses import field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType

from gateway.domain.checks import check_id, check_instant, check_integer, check_text, check_type
from gateway.domain.errors import invalid
from gateway.domain.immutable import immutable
from gateway.domain.limits import EMAIL_LENGTH_MAX, ID_LENGTH_MAX, POSITION_MAX
from gateway.domain.member_role import MemberRole
from gateway.domain.user import UserId

MemberId = NewType("MemberId", str)

TOKEN_HASH_BYTES: Final = 32


class MemberStatus(StrEnum):
    """Whether a member acts for the merchant."""

    INVITED = "invited"
    ACTIVE = "active"
    REMOVED = "removed"


@immutable
class Member:
    """A user who acts for a merchant, or an invitation to do so.

    Attributes:
        merchant_id: The user whose objects they act on.
        email: The canonical address that was invited; of the user from then on.
        user_id: Who accepted the invitation; `None` before that.
        invited_by: The user who invited them.
        token_hash: SHA-256 of the token of the invitation; `None` once it was used.
        expires_at: The first moment at which the invitation cannot be accepted; `None` once it was.
        joined_at: When the invitation was accepted.
        changed_at: When they were last changed.
        removed_at: When they were removed. Then they are shown nowhere.
        sequence: The number of events about this member.

    Raises:
        InvalidInput: A field is not valid.
    """

    id: MemberId
    merchant_id: UserId
    email: str
    role: MemberRole
    user_id: UserId | None
    invited_by: UserId
    token_hash: bytes | None = field(repr=False)
    created_at: datetime
    expires_at: datetime | None
    joined_at: datetime | None
    changed_at: datetime
    removed_at: datetime | None = None
    sequence: int = 1

    def __post_init__(self) -> None:
        check_id("id", self.id)
        check_id("merchant_id", self.merchant_id)
        check_text("email", self.email, EMAIL_LENGTH_MAX)
        check_type("role", self.role, MemberRole)
        if self.user_id is not None:
            check_id("user_id", self.user_id)
        check_id("invited_by", self.invited_by)
        if self.token_hash is not None:
            check_token_hash(self.token_hash)
        for name in ("created_at", "changed_at"):
            check_instant(name, getattr(self, name))
        for name in ("expires_at", "joined_at", "removed_at"):
            if getattr(self, name) is not None:
                check_instant(name, getattr(self, name))
        check_integer("sequence", self.sequence, 0, POSITION_MAX)

    @property
    def customer_id(self) -> None:
        """No customer sees the events about members."""
        return

    @property
    def status(self) -> MemberStatus:
        """Whether they act for the merchant."""
        if self.removed_at is not None:
            return MemberStatus.REMOVED
        return MemberStatus.INVITED if self.user_id is None else MemberStatus.ACTIVE

    @property
    def is_active(self) -> bool:
        """Whether they act for the merchant now."""
        return self.status is MemberStatus.ACTIVE

    def is_open(self, now: datetime) -> bool:
        """Whether it is an invitation that can be accepted."""
        return (
            self.token_hash is not None
            and self.removed_at is None
            and self.expires_at is not None
            and now < self.expires_at
        )

    def joined(self, user_id: UserId, *, now: datetime) -> "Member":
        """A copy for the user who accepts the invitation, which cannot be accepted again."""
        return replace(
            self,
            user_id=user_id,
            token_hash=None,
            expires_at=None,
            joined_at=now,
            changed_at=now,
            sequence=self.sequence + 1,
        )

    def with_role(self, role: MemberRole, *, now: datetime) -> "Member":
        """A copy with this role; this member if they have it."""
        return self if role is self.role else replace(self, role=role, changed_at=now, sequence=self.sequence + 1)

    def removed(self, *, now: datetime) -> "Member":
        """A copy that does not act for the merchant any more, and cannot be accepted."""
        return replace(self, token_hash=None, removed_at=now, changed_at=now, sequence=self.sequence + 1)


def check_token_hash(token_hash: object) -> None:
    """Refuse what is not a SHA-256."""
    check_type("token_hash", token_hash, bytes)
    if isinstance(token_hash, bytes) and len(token_hash) != TOKEN_HASH_BYTES:
        raise invalid("token_hash", "value_invalid", f"A SHA-256 has {TOKEN_HASH_BYTES} bytes.")


def first_owner_id(merchant_id: UserId) -> MemberId:
    """The id of a merchant's own user among its members: the first owner, who has no record of their own."""
    return MemberId(f"mem_{merchant_id}"[:ID_LENGTH_MAX])
