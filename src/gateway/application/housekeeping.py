"""Housekeeping: deletes old rows that nobody needs any more, and keeps the search index of events up to date.

Several workers may do both at once. The rows of the ledger (accounts, transactions, payments …) are never deleted.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from gateway.application.causes import cause_of
from gateway.application.ports.clock import Clock
from gateway.application.ports.deliveries import WEBHOOKS
from gateway.application.ports.housekeeping import Deleted, EventReaders
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.application.shared_clock import synchronize
from gateway.application.waiting import wait_for_stop
from gateway.domain.immutable import immutable
from gateway.domain.limits import ANSWERS_DAYS_DEFAULT, AUDIT_DAYS_DEFAULT, EVENTS_DAYS_DEFAULT

logger = logging.getLogger(__name__)

STEPS_PER_ROUND: Final = 600
"""Steps for one kind of rows in a round. Then the other kinds follow, and the counts are logged."""
PASS_EVERY: Final = timedelta(hours=1)
"""Answers are looked through this often, at most: there is no index of their times."""
EVENTS_HELD: Final = timedelta(hours=1)
"""How much longer events are stored than they are shown: what was shown a moment ago may be queued for delivery now.
Also the largest difference between the clocks of servers."""


@immutable
class HousekeepingLimits:
    """How long rows are stored, and how fast they are deleted.

    Attributes:
        rows_per_step: How many rows one transaction deletes, at most.
        pause_seconds: The time between two transactions.
        interval_seconds: The time between two rounds, if the last one has deleted all that it could.
        answers: How long answers to idempotency keys are stored after the request.
        events: How long events are stored.
        quotes: How long unused quotes are stored after their expiry.
        sessions: How long sessions are stored after their end: longer than access tokens are valid.
        login_failures: How long failed logins are stored: longer than they delay the next login.
        deliveries: How long deliveries of webhooks are stored after their end.
        audit: How long records of the audit log are stored.
    """

    rows_per_step: int = 500
    pause_seconds: float = 0.1
    interval_seconds: float = 60.0
    answers: timedelta = timedelta(days=ANSWERS_DAYS_DEFAULT)
    events: timedelta = timedelta(days=EVENTS_DAYS_DEFAULT)
    quotes: timedelta = timedelta(days=7)
    sessions: timedelta = timedelta(days=7)
    login_failures: timedelta = timedelta(days=1)
    deliveries: timedelta = timedelta(days=7)
    audit: timedelta = timedelta(days=AUDIT_DAYS_DEFAULT)


Step = Callable[[], Awaitable[Deleted]]


@dataclass(slots=True, kw_only=True)
class Housekeeper:
    """Deletes old rows in rounds: kind by kind, in steps."""

    storage: Storage
    clock: Clock
    limits: HousekeepingLimits = field(default_factory=HousekeepingLimits)
    _held_back_by: str = field(default="", init=False)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; a step that was begun is finished."""
        while not stop.is_set():
            if await self.run_once(stop):
                await wait_for_stop(stop, self.limits.interval_seconds)

    async def run_once(self, stop: asyncio.Event) -> bool:
        """One round. Returns whether all was deleted that can be; if not, the next round may follow at once.

        If rows of one kind cannot be deleted (a slow storage, a bug), rows of the other kinds still are.
        """
        counts: dict[str, int] = {}
        finished = True
        try:
            await synchronize(self.clock)
        except StorageUnavailable as unavailable:
            # By its own clock, this process might delete what is still needed.
            logger.warning("housekeeping_waits", extra={"kind": "clock", "cause": cause_of(unavailable)})
            return True
        for name, step in self._steps().items():
            try:
                finished &= await self._repeat(name, step, counts, stop)
            except StorageUnavailable as unavailable:
                logger.warning("housekeeping_waits", extra={"kind": name, "cause": cause_of(unavailable)})
            except Exception:
                logger.exception("housekeeping_failed", extra={"kind": name})
        if counts:
            logger.info("rows_deleted", extra=counts)
        return finished

    async def _repeat(self, name: str, step: Step, counts: dict[str, int], stop: asyncio.Event) -> bool:
        for _ in range(STEPS_PER_ROUND):
            if stop.is_set():
                return True
            deleted = await step()
            if deleted.count:
                counts[name] = counts.get(name, 0) + deleted.count
            if deleted.is_last:
                return True
            await wait_for_stop(stop, self.limits.pause_seconds)
        return False

    def _steps(self) -> Mapping[str, Step]:
        """What deletes the next rows of each kind. Events come behind the answers that share their data."""
        housekeeping, limits, now = self.storage.housekeeping, self.limits, self.clock()
        limit = limits.rows_per_step
        return {
            "login_failures": lambda: housekeeping.delete_login_failures(
                before=now - limits.login_failures, limit=limit
            ),
            "sessions": lambda: housekeeping.delete_sessions(before=now - limits.sessions, limit=limit),
            "quotes": lambda: housekeeping.delete_quotes(before=now - limits.quotes, limit=limit),
            "audit_records": lambda: housekeeping.delete_audit_records(before=now - limits.audit, limit=limit),
            "deliveries": lambda: self._delete_deliveries(now - limits.deliveries, limit),
            "answers": lambda: housekeeping.delete_answers(before=beginning_of_pass(now - limits.answers), limit=limit),
            "events": _EventSteps(self, now - limits.events - EVENTS_HELD).step,
        }

    async def _delete_deliveries(self, before: datetime, limit: int) -> Deleted:
        count = await self.storage.deliveries.purge(ended_before=before, limit=limit)
        return Deleted(count=count, is_last=count < limit)

    async def tell_what_holds_back(self, reader: str, until: int, before: datetime) -> None:
        """Log once which reader has not passed an event that could be deleted otherwise: it may be gone for good."""
        following = await self.storage.events.read(after=until, limit=1)
        held_back_by = reader if following and following[0].created_at < before else ""
        if held_back_by and held_back_by != self._held_back_by:
            logger.warning("events_held_back", extra={"reader": held_back_by, "position": until})
        self._held_back_by = held_back_by


@dataclass(slots=True)
class _EventSteps:
    """The deletion of events in one round.

    What is still needed is found once. This stays true for the round: events that are no longer
    shown are neither redelivered nor replayed.
    """

    housekeeper: Housekeeper
    before: datetime
    reader: str = ""
    until: int | None = None

    async def step(self) -> Deleted:
        """Delete the next events."""
        housekeeping = self.housekeeper.storage.housekeeping
        if self.until is None:
            self.until = await self._find_what_is_needed()
        until, limit = self.until, self.housekeeper.limits.rows_per_step
        deleted = await housekeeping.delete_events(before=self.before, until=until, limit=limit)
        if deleted.is_last:
            await self.housekeeper.tell_what_holds_back(self.reader, until, self.before)
        return deleted

    async def _find_what_is_needed(self) -> int:
        """The last position that may be deleted. Also lowers `before`."""
        housekeeping = self.housekeeper.storage.housekeeping
        # An answer to an idempotency key ends with the data of its event.
        oldest_answer = await housekeeping.oldest_answer()
        if oldest_answer is not None:
            self.before = min(self.before, oldest_answer - EVENTS_HELD)
        readers = await housekeeping.event_readers()
        if readers.replayed_since is not None:
            self.before = min(self.before, readers.replayed_since)
        self.reader, until = slowest(readers)
        return until


def beginning_of_pass(before: datetime) -> datetime:
    """The last beginning of a pass at or before a moment: the same for all workers."""
    return before - (before - datetime.min.replace(tzinfo=before.tzinfo)) % PASS_EVERY


def slowest(readers: EventReaders) -> tuple[str, int]:
    """The reader that is the furthest behind, and the position until which no reader needs an event."""
    needs = {WEBHOOKS: 0, **readers.cursors}
    if readers.first_waiting is not None:
        needs["waiting deliveries"] = readers.first_waiting - 1
    return min(needs.items(), key=lambda need: need[1])


@immutable
class IndexingLimits:
    """How fast events are indexed.

    Attributes:
        blocks_per_step: How many blocks of the index one transaction adds, at most.
        pause_seconds: The time between two transactions.
        interval_seconds: The time between two looks at an index that has all full blocks.
    """

    blocks_per_step: int = 8
    pause_seconds: float = 0.1
    interval_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventIndexer:
    """Extends the search index of events, so that no search has to."""

    storage: Storage
    limits: IndexingLimits = field(default_factory=IndexingLimits)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; a step that was begun is finished."""
        while not stop.is_set():
            try:
                may_go_on = await self.storage.housekeeping.index_events(blocks_max=self.limits.blocks_per_step)
            except StorageUnavailable as unavailable:
                logger.warning("event_indexer_waits", extra={"cause": cause_of(unavailable)})
                may_go_on = False
            except Exception:
                logger.exception("event_indexer_failed")
                may_go_on = False
            await wait_for_stop(stop, self.limits.pause_seconds if may_go_on else self.limits.interval_seconds)
