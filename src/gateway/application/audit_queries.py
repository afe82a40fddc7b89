"""AuditQueries: what operators may read of the audit log."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from gateway.application.access.caller import Caller
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.errors import RoleForbidden
from gateway.application.ports.audit_log import AuditFilter, AuditLog
from gateway.application.ports.unit_of_work import StorageReadOnly
from gateway.application.queries import Page, check_list, page_of
from gateway.domain.audit import AuditId, AuditRecord
from gateway.domain.user import Role

LINKED_PER_LOOK_UP_MAX: Final = 1_000
"""How many records a look-up links to the chain before it reads. Workers link the others."""


@dataclass(frozen=True, slots=True)
class AuditQueries:
    """Reads of the audit log."""

    log: AuditLog
    loop: OneEventLoop = field(default_factory=OneEventLoop, repr=False, compare=False)

    async def records(
        self, caller: Caller, where: AuditFilter | None = None, *, before: AuditId | None = None, limit: int = 20
    ) -> Page[AuditRecord]:
        """A page of the audit log, newest first; for operators.

        Raises:
            InvalidInput: There is no such caller, filter or page.
            RoleForbidden: The caller is no operator.
            StorageUnavailable: The storage could not be reached.
        """
        self.loop.check()
        where = AuditFilter() if where is None else where
        check_list(caller, where, AuditFilter, before, limit)
        if caller.role is not Role.OPERATOR:
            raise RoleForbidden("The audit log is for operators.")
        with suppress(StorageReadOnly):
            await self.log.link(limit=LINKED_PER_LOOK_UP_MAX)
        found = await self.log.records(where, before=before, limit=limit + 1)
        return page_of(found, limit, stopped_at=found.stopped_at)
