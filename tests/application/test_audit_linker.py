"""The job that links records of the audit log goes on, whatever happens to the storage."""

import asyncio
import logging

import pytest

from gateway.adapters.memory import MemoryDatabase
from gateway.adapters.memory.audit_log import MemoryAuditLog
from gateway.application.audit_linker import AuditLinker, LinkingLimits
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.contracts.audit_log import a_record


class MoodyLog(MemoryAuditLog):
    """Fails as it is told, and then works. Ends the job when nothing is left."""

    def __init__(self, database: MemoryDatabase, stop: asyncio.Event) -> None:
        super().__init__(database)
        self.errors: list[Exception] = [StorageUnavailable("It is away."), LookupError("A bug")]
        self._stop = stop

    async def link(self, *, limit: int) -> int:
        if self.errors:
            raise self.errors.pop(0)
        linked = await super().link(limit=limit)
        if not linked:
            self._stop.set()
        return linked


async def test_all_records_are_linked_in_steps_after_troubles_that_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    stop, database = asyncio.Event(), MemoryDatabase()
    log = MoodyLog(database, stop)
    for number in range(1, 8):
        await log.append(a_record(number))
    with caplog.at_level(logging.WARNING):
        await AuditLinker(log=log, limits=LinkingLimits(records_per_step=3, interval_seconds=0.001)).run(stop)
    assert [link.position for link in database.audit_chain] == list(range(1, 8))
    assert [record.message for record in caplog.records] == ["audit_linker_waits", "audit_linker_failed"]
