"""What every storage of second factors promises."""

import asyncio
from dataclasses import replace

import pytest

from gateway.application.errors import SecondFactorInvalid
from gateway.application.ports.audit_log import AuditFilter
from gateway.application.ports.storage import Storage
from gateway.contracts.audit_log import a_record
from gateway.contracts.records import NOW, user_id
from gateway.domain.audit import AuditRecord
from gateway.domain.second_factor import SecondFactor

WAITING = SecondFactor(user_id=user_id(1), secret="JBSWY3DPEHPK3PXP", created_at=NOW)  # noqa: S106 - nobody's.
CONFIRMED = replace(
    WAITING, confirmed_at=NOW, last_step=2**40, recovery_hashes=(bytes(range(32)), bytes(range(224, 256)))
)

Changed = tuple[SecondFactor | None, AuditRecord | None]


class SecondFactorsContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    @pytest.mark.parametrize("factor", [WAITING, CONFIRMED], ids=["few fields", "all fields"])
    async def test_what_is_stored_comes_back_until_it_is_deleted(self, storage: Storage, factor: SecondFactor) -> None:
        """With every field; and other users have none."""
        factors = storage.second_factors
        assert await factors.change(factor.user_id, lambda before: (before, None)) is None
        assert await factors.of(factor.user_id) is None
        assert await factors.change(factor.user_id, lambda _: (factor, None)) == factor
        assert await factors.of(factor.user_id) == factor
        assert await factors.of(user_id(2)) is None
        seen: list[SecondFactor | None] = []

        def deleted(before: SecondFactor | None) -> Changed:
            seen.append(before)
            return None, None

        assert await factors.change(factor.user_id, deleted) is None
        assert seen[-1] == factor
        assert await factors.of(factor.user_id) is None

    async def test_the_audit_log_has_the_record_of_a_change_and_of_none_that_was_refused(
        self, storage: Storage
    ) -> None:
        """Both are one step."""
        factors = storage.second_factors

        def refuse(_: SecondFactor | None) -> Changed:
            raise SecondFactorInvalid("No.")

        with pytest.raises(SecondFactorInvalid):
            await factors.change(user_id(1), refuse)
        assert await factors.of(user_id(1)) is None
        await factors.change(user_id(1), lambda _: (CONFIRMED, a_record(1)))
        with pytest.raises(SecondFactorInvalid):
            await factors.change(user_id(1), refuse)
        assert await factors.of(user_id(1)) == CONFIRMED
        found = await storage.audit_log.records(AuditFilter(), before=None, limit=10)
        assert list(found) == [a_record(1)]

    async def test_of_sixteen_uses_of_one_step_at_once_one_is_the_first(self, storage: Storage) -> None:
        """Each sees what the others stored."""
        factors = storage.second_factors
        await factors.change(user_id(1), lambda _: (CONFIRMED, None))
        step = CONFIRMED.last_step + 1

        def use(before: SecondFactor | None) -> Changed:
            after = None if before is None else before.used_at(step)
            if after is None:
                raise SecondFactorInvalid("No.")
            return after, None

        results = await asyncio.gather(*(factors.change(user_id(1), use) for _ in range(16)), return_exceptions=True)
        assert sum(isinstance(each, SecondFactor) for each in results) == 1
        assert sum(isinstance(each, SecondFactorInvalid) for each in results) == 15
        stored = await factors.of(user_id(1))
        assert stored is not None
        assert stored.last_step == step
