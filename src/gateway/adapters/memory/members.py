"""Members in a dictionary."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.application.ports.members import MemberAtUse, StoredMembers
from gateway.domain.member import Member, MemberId
from gateway.domain.user import UserId


class MemoryMembers(StoredMembers):
    """See the port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    @override
    async def member(self, member_id: MemberId) -> Member | None:
        found = self._database.members.get(member_id)
        return None if found is None or found.removed_at is not None else found

    @override
    async def members(self, merchant_id: UserId, *, before: MemberId | None, limit: int) -> Sequence[Member]:
        return self._found(lambda each: each.merchant_id == merchant_id, before)[:limit]

    @override
    async def memberships(self, user_id: UserId, *, before: MemberId | None, limit: int) -> Sequence[MemberAtUse]:
        found = self._found(lambda each: each.user_id == user_id, before)[:limit]
        return [MemberAtUse(member=each, merchant=self._database.users[each.merchant_id].user) for each in found]

    @override
    async def membership(self, user_id: UserId, merchant_id: UserId) -> MemberAtUse | None:
        for each in self._found(lambda each: each.user_id == user_id and each.merchant_id == merchant_id, None):
            return MemberAtUse(member=each, merchant=self._database.users[each.merchant_id].user)
        return None

    @override
    async def invitation(self, token_hash: bytes) -> Member | None:
        for each in self._found(lambda each: each.token_hash == token_hash, None):
            return each
        return None

    @override
    async def changed_since(self, since: datetime) -> Mapping[MemberId, int]:
        return {each.id: each.sequence for each in self._database.members.values() if each.changed_at >= since}

    def _found(self, wanted: Callable[[Member], bool], before: MemberId | None) -> list[Member]:
        """The members that are wanted and were not removed, newest first."""
        members = self._database.members
        return [
            members[member_id]
            for member_id in sorted(members, reverse=True)
            if (before is None or member_id < before)
            and members[member_id].removed_at is None
            and wanted(members[member_id])
        ]
