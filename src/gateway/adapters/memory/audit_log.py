"""The audit log in a dictionary."""

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.application.audit_chain import FIRST_HASH, chained
from gateway.application.ports.audit_log import AuditFilter, AuditLog
from gateway.application.ports.audit_records import ChainEnd
from gateway.application.ports.reader import Listed
from gateway.domain.audit import AuditId, AuditRecord


class MemoryAuditLog(AuditLog):
    """See the port. No method awaits anything, so each is one step."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    @override
    async def append(self, record: AuditRecord) -> None:
        self._database.append_audit(record)

    @override
    async def records(self, where: AuditFilter, *, before: AuditId | None, limit: int) -> Listed[AuditRecord]:
        log = self._database.audit_log
        found = (log[each] for each in sorted(log, reverse=True) if before is None or each < before)
        return Listed([record for record in found if _matches(record, where)][:limit])

    @override
    async def link(self, *, limit: int) -> int:
        database = self._database
        waiting = sorted(each for each in database.audit_unlinked if each in database.audit_log)[:limit]
        position, previous = len(database.audit_chain), FIRST_HASH
        if database.audit_chain:
            position, _, previous = database.audit_chain[-1]
        records = [database.audit_log[each] for each in waiting]
        database.audit_chain.extend(chained(records, position=position, previous=previous))
        if records:
            database.audit_head = ChainEnd(database.audit_chain[-1].position, database.audit_chain[-1].hash)
        database.audit_unlinked = [each for each in database.audit_unlinked if each not in waiting]
        return len(waiting)


def _matches(record: AuditRecord, where: AuditFilter) -> bool:
    return (
        where.owner_id in (None, record.note.owner_id)
        and where.actor in (None, record.origin.actor.id)
        and where.action in (None, record.note.action)
        and where.object_id in (None, record.note.object_id)
        and (where.created_after is None or record.created_at >= where.created_after)
        and (where.created_before is None or record.created_at < where.created_before)
    )
