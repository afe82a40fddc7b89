"""Users in a dictionary."""

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.application.ports.users import Credentials, Users
from gateway.domain.user import UserId


class MemoryUsers(Users):
    """See the port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    @override
    async def by_email(self, email: str) -> Credentials | None:
        user_id = self._database.user_ids.get(email)
        return None if user_id is None else self._database.users[user_id]

    @override
    async def by_id(self, user_id: UserId) -> Credentials | None:
        return self._database.users.get(user_id)

    @override
    async def replace_password_hash(self, user_id: UserId, *, old: str, new: str) -> bool:
        found = self._database.users.get(user_id)
        if found is None or found.password_hash != old:
            return False
        self._database.users[user_id] = Credentials(user=found.user, password_hash=new)
        return True
