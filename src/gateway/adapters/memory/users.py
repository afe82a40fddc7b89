"""Users in a dictionary."""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.adapters.memory.sessions import MemorySessions
from gateway.application.ports.users import Credentials, UserAtLogin, Users
from gateway.domain.audit import AuditRecord
from gateway.domain.user import UserId


class MemoryUsers(Users):
    """See the port."""

    def __init__(self, database: MemoryDatabase, sessions: MemorySessions) -> None:
        self._database = database
        self._sessions = sessions

    @override
    async def at_login(self, asked: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], UserAtLogin]:
        ids = self._database.user_ids
        return {
            (email, network): UserAtLogin(
                credentials=self._database.users[ids[email]], known=self._sessions.knows(ids[email], network)
            )
            for email, network in asked
            if email in ids
        }

    @override
    async def by_id(self, user_id: UserId) -> Credentials | None:
        return self._database.users.get(user_id)

    @override
    async def disabled_since(self, since: datetime) -> AbstractSet[UserId]:
        users = (each.user for each in self._database.users.values())
        return {user.id for user in users if user.disabled_at is not None and user.disabled_at >= since}

    @override
    async def replace_password_hash(
        self,
        user_id: UserId,
        *,
        old: str,
        new: str,
        sessions_end_at: datetime | None = None,
        audit: AuditRecord | None = None,
    ) -> bool:
        found = self._database.users.get(user_id)
        if found is None or found.password_hash != old:
            return False
        self._database.users[user_id] = Credentials(user=found.user, password_hash=new)
        if sessions_end_at is not None:
            await self._sessions.revoke_user(user_id, now=sessions_end_at)
        self._database.append_audit(audit)
        return True

    @override
    async def replace_email(
        self,
        user_id: UserId,
        *,
        old: str,
        new: str,
        sessions_end_at: datetime | None = None,
        audit: AuditRecord | None = None,
    ) -> bool:
        database = self._database
        async with database.transaction:  # A unit of work writes whole users.
            found = database.users.get(user_id)
            if found is None or found.user.email != old or new in database.user_ids:
                return False
            database.users[user_id] = replace(found, user=replace(found.user, email=new))
            del database.user_ids[old]
            database.user_ids[new] = user_id
            if sessions_end_at is not None:
                await self._sessions.revoke_user(user_id, now=sessions_end_at)
            database.append_audit(audit)
            return True
