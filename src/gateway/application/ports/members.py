"""Members of merchants, as they were committed. Commands add and change them, in a unit of work."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.immutable import immutable
from gateway.domain.member import Member, MemberId
from gateway.domain.user import User, UserId


@immutable
class MemberAtUse:
    """A member, and the merchant they act for."""

    member: Member
    merchant: User

    @property
    def id(self) -> MemberId:
        """Of the member: lists are in its order."""
        return self.member.id


class StoredMembers(Protocol):
    """Look-ups of members. Removed members are not found. All methods raise `StorageUnavailable`."""

    async def member(self, member_id: MemberId) -> Member | None:
        """The member or the invitation with this id."""
        ...

    async def members(self, merchant_id: UserId, *, before: MemberId | None, limit: int) -> Sequence[Member]:
        """The members of a merchant, newest first, with open and expired invitations.

        Args:
            merchant_id: The merchant.
            before: The id of the last member of the page before.
            limit: How many members at most.
        """
        ...

    async def memberships(self, user_id: UserId, *, before: MemberId | None, limit: int) -> Sequence[MemberAtUse]:
        """The members that a user is, one for each merchant, newest first. As `members`."""
        ...

    async def membership(self, user_id: UserId, merchant_id: UserId) -> MemberAtUse | None:
        """The member of a merchant that a user is, in one read."""
        ...

    async def invitation(self, token_hash: bytes) -> Member | None:
        """The invitation with this hash of its token, also an expired one."""
        ...

    async def changed_since(self, since: datetime) -> Mapping[MemberId, int]:
        """The members who were changed or removed at or after `since`, each with its sequence."""
        ...
