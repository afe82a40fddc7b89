"""AuditLinker: links new records of the audit log to its chain."""

import asyncio
import logging
from dataclasses import dataclass, field

from gateway.application.causes import cause_of
from gateway.application.ports.audit_log import AuditLog
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.application.waiting import wait_for_stop
from gateway.domain.immutable import immutable

logger = logging.getLogger(__name__)


@immutable
class LinkingLimits:
    """How many records one transaction links at most, and how soon the next one follows."""

    records_per_step: int = 1_000
    interval_seconds: float = 1.0


@dataclass(slots=True, kw_only=True)
class AuditLinker:
    """Several workers may do it at once."""

    log: AuditLog
    limits: LinkingLimits = field(default_factory=LinkingLimits)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; a step that was begun is finished."""
        while not stop.is_set():
            linked = 0
            try:
                linked = await self.log.link(limit=self.limits.records_per_step)
            except StorageUnavailable as unavailable:
                logger.warning("audit_linker_waits", extra={"cause": cause_of(unavailable)})
            except Exception:
                logger.exception("audit_linker_failed")
            if linked < self.limits.records_per_step:
                await wait_for_stop(stop, self.limits.interval_seconds)
