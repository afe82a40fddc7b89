"""AuditQueries: what operators may read of the audit log, and a merchant of its own part."""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from gateway.application.access.caller import Caller
from gateway.application.audit_ids import AuditIds
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.errors import RoleForbidden
from gateway.application.ports.audit_log import AuditFilter, AuditLog
from gateway.application.ports.clock import Clock
from gateway.application.ports.unit_of_work import StorageReadOnly
from gateway.application.queries import Page, check_list, page_of
from gateway.domain.audit import (
    OPERATORS,
    THE_LOG,
    Actor,
    ActorKind,
    AuditAction,
    AuditId,
    AuditNote,
    AuditRecord,
    Fact,
    Origin,
    actor_of,
    is_by_operators,
)
from gateway.domain.checks import check_type
from gateway.domain.user import Role

LINKED_PER_LOOK_UP_MAX: Final = 1_000
"""How many records a look-up links to the chain before it reads. Workers link the others."""


@dataclass(frozen=True, slots=True)
class AuditQueries:
    """Reads of the audit log."""

    log: AuditLog
    executor: CommandExecutor
    clock: Clock
    ids: AuditIds
    loop: OneEventLoop = field(default_factory=OneEventLoop, repr=False, compare=False)

    async def records(
        self, caller: Caller, where: AuditFilter | None = None, *, before: AuditId | None = None, limit: int = 20
    ) -> Page[AuditRecord]:
        """A page of the audit log, newest first: for operators all of it, for a merchant the records that concern it.

        A merchant does not learn who among the operators has done something, from where, and why.

        Raises:
            InvalidInput: There is no such caller, filter or page.
            RoleForbidden: The caller is neither an operator nor a merchant.
            StorageUnavailable: The storage could not be reached.
        """
        self.loop.check()
        where = AuditFilter() if where is None else where
        check_list(caller, where, AuditFilter, before, limit)
        if caller.role is Role.OPERATOR:
            return await self._page(where, before, limit)
        if caller.role is not Role.MERCHANT:
            raise RoleForbidden("The audit log is for operators and merchants.")
        if where.owner_id not in (None, caller.user_id):
            return page_of([], limit)
        page = await self._page(replace(where, owner_id=caller.user_id), before, limit)
        if where.actor is not None and any(is_by_operators(record) for record in page.items):
            return page_of([], limit)  # Who asks for an operator by their id does not learn what the operator has done.
        return page.map(_as_merchants_see_it)

    async def begin_export(
        self, caller: Caller, where: AuditFilter | None = None, *, origin: Origin | None = None
    ) -> AuditRecord:
        """Record that somebody exports the records of a filter. What they export are those before this record.

        Args:
            caller: An operator, or `TRUSTED`.
            where: Which records. Its ids are recorded, and must be of somebody or something that the gateway knows.
            origin: Who exports them, and from where; the caller unless given.

        Raises:
            InvalidInput: There is no such caller or filter, or an id of the filter is not known. Nothing is recorded.
            RoleForbidden: The caller is no operator.
            StorageUnavailable: The storage could not be reached, or cannot be written: then nothing is exported.
        """
        self.loop.check()
        where = AuditFilter() if where is None else where
        check_list(caller, where, AuditFilter, None, 1)
        if origin is not None:
            check_type("origin", origin, Origin)
        if caller.role is not Role.OPERATOR:
            raise RoleForbidden("The audit log is exported by operators.")
        await self.ids.check(where)
        note = AuditNote(action=AuditAction.AUDIT_EXPORTED, object_id=THE_LOG, after=_facts(where))
        by = origin or Origin(actor=actor_of(caller.user_id, caller.role))
        record = self.executor.audit_record(note, origin=by, now=self.clock())
        await self.log.append(record)
        return record

    async def _page(self, where: AuditFilter, before: AuditId | None, limit: int) -> Page[AuditRecord]:
        with suppress(StorageReadOnly):
            await self.log.link(limit=LINKED_PER_LOOK_UP_MAX)
        found = await self.log.records(where, before=before, limit=limit + 1)
        return page_of(found, limit, stopped_at=found.stopped_at)


def _as_merchants_see_it(record: AuditRecord) -> AuditRecord:
    """A record without what identifies an operator, and without the operator's words."""
    if not is_by_operators(record):
        return record
    origin = Origin(actor=Actor(kind=ActorKind.OPERATOR, id=OPERATORS))
    return replace(record, origin=origin, note=replace(record.note, reason=None))


def _facts(where: AuditFilter) -> dict[str, Fact]:
    """The filter of an export, as the audit log tells it."""
    given = {name: getattr(where, name) for name in ("actor", "action", "object_id", "owner_id")}
    times = {"created_after": where.created_after, "created_before": where.created_before}
    facts: dict[str, Fact] = {name: str(value) for name, value in given.items() if value is not None}
    return facts | {name: _text(at) for name, at in times.items() if at is not None}


def _text(at: datetime) -> str:
    return at.isoformat()
