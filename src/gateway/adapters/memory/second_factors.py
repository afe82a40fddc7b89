"""Second factors in a dictionary."""

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.application.ports.second_factors import ChangeOfFactor, SecondFactors
from gateway.domain.second_factor import SecondFactor
from gateway.domain.user import UserId


class MemorySecondFactors(SecondFactors):
    """See the port. No method awaits anything, so each is one step."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    @override
    async def of(self, user_id: UserId) -> SecondFactor | None:
        return self._database.second_factors.get(user_id)

    @override
    async def change(self, user_id: UserId, change: ChangeOfFactor) -> SecondFactor | None:
        stored = self._database.second_factors
        factor, audit = change(stored.get(user_id))
        if factor is None:
            stored.pop(user_id, None)
        else:
            stored[user_id] = factor
        self._database.append_audit(audit)
        return factor
