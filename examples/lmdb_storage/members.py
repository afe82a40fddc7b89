"""Members of merchants."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from gateway import Member, MemberAtUse, MemberId, UserId
from lmdb_storage.database import Database, first
from lmdb_storage.records import MEMBERS, USERS, token_name
from lmdb_storage.tables import Txn, moment, name


class LmdbMembers:
    """The port `StoredMembers`. The indexes that it looks into have no removed members."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def member(self, member_id: MemberId) -> Member | None:
        """As the port says."""
        with self._database.snapshot() as txn:
            found = MEMBERS.get(txn, member_id)
        return None if found is None or found.removed_at is not None else found

    async def members(self, merchant_id: UserId, *, before: MemberId | None, limit: int) -> list[Member]:
        """As the port says."""
        with self._database.snapshot() as txn:
            return first(MEMBERS.newest_of(txn, "shown", name(merchant_id), before), limit)

    async def memberships(self, user_id: UserId, *, before: MemberId | None, limit: int) -> list[MemberAtUse]:
        """As the port says."""
        with self._database.snapshot() as txn:
            return first(at_use(txn, MEMBERS.newest_of(txn, "user", name(user_id), before)), limit)

    async def membership(self, user_id: UserId, merchant_id: UserId) -> MemberAtUse | None:
        """As the port says."""
        with self._database.snapshot() as txn:
            return next(at_use(txn, MEMBERS.newest_of(txn, "membership", name(user_id, merchant_id))), None)

    async def invitation(self, token_hash: bytes) -> Member | None:
        """As the port says."""
        with self._database.snapshot() as txn:
            return next(MEMBERS.those(txn, "token", token_name(token_hash)), None)

    async def changed_since(self, since: datetime) -> Mapping[MemberId, int]:
        """As the port says."""
        with self._database.snapshot() as txn:
            return {each.id: each.sequence for each in MEMBERS.since(txn, "changed", moment(since))}


def at_use(txn: Txn, members: Iterable[Member]) -> Iterator[MemberAtUse]:
    """The members, each with its merchant."""
    for member in members:
        for merchant in USERS.found(txn, [member.merchant_id]):
            yield MemberAtUse(member=member, merchant=merchant.user)
