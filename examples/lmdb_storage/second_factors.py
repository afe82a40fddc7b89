"""Second factors of users."""

from gateway import SecondFactor, UserId
from gateway.ports import ChangeOfFactor
from lmdb_storage.auditing import append
from lmdb_storage.database import Database
from lmdb_storage.records import SECOND_FACTORS
from lmdb_storage.tables import Txn


class LmdbSecondFactors:
    """The port `SecondFactors`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, user_id: UserId) -> SecondFactor | None:
        """As the port says."""
        with self._database.snapshot() as txn:
            return SECOND_FACTORS.get(txn, user_id)

    async def change(self, user_id: UserId, change: ChangeOfFactor) -> SecondFactor | None:
        """As the port says: changes take turns. What a change raises takes it back."""

        def write(txn: Txn) -> SecondFactor | None:
            before = SECOND_FACTORS.get(txn, user_id)
            after, audit = change(before)
            if after is not None:
                SECOND_FACTORS.put(txn, after)
            elif before is not None:
                SECOND_FACTORS.delete(txn, before)
            append(txn, audit)
            return after

        return await self._database.write(write)
