"""Users in a dictionary."""

from gateway.adapters.memory.database import MemoryDatabase
from gateway.application.ports.users import Credentials
from gateway.domain.user import UserId


class MemoryUsers:
    """See the port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def by_email(self, email: str) -> Credentials | None:
        """As `Users.by_email`."""
        user_id = self._database.user_ids.get(email)
        return None if user_id is None else self._database.users[user_id]

    async def by_id(self, user_id: UserId) -> Credentials | None:
        """As `Users.by_id`."""
        return self._database.users.get(user_id)

    async def replace_password_hash(self, user_id: UserId, *, old: str, new: str) -> bool:
        """As `Users.replace_password_hash`."""
        found = self._database.users.get(user_id)
        if found is None or found.password_hash != old:
            return False
        self._database.users[user_id] = Credentials(user=found.user, password_hash=new)
        return True
