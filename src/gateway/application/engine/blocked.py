"""Blocked submissions: those of batches that met a lock of another transaction (docs/decisions/0053).

They wait here, beside the batches of everybody else. A batch comes as a whole, since a storage does not say which of
its submissions is blocked. It is run again in parts, and a part that is blocked in smaller parts, so that the others
are answered at once. What is blocked alone is run again from time to time, until its time is over.
"""

import asyncio
import heapq
from collections import Counter, deque
from collections.abc import Callable, Collection, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Final

from gateway.application.engine.batch import RunWaiting
from gateway.application.engine.executor import BUSY, in_progress
from gateway.application.engine.reservation import Reservation
from gateway.application.engine.submission import Answer, Failed, Submission
from gateway.application.engine.ticket import Ticket
from gateway.application.ports.busy import StorageBusy
from gateway.application.ports.unit_of_work import KeyBusy, StorageUnavailable
from gateway.domain.account import AccountKey
from gateway.domain.user import UserId

PARTS: Final = 16
"""A blocked batch is run again in so many parts: most of a large one is then answered in a few transactions."""

PROBE_SHARE: Final = 0.025
"""A part waits for each lock for this share of the lock timeout: 50 ms of 2 s. The wait doubles each time that a
submission is blocked alone, up to `BRIEF_SHARE`."""

BRIEF_SHARE: Final = 0.125
"""The longest wait for one lock, and what the batch has waited before it came here, as a share of the lock timeout."""

PAUSE_PER_WAIT: Final = 2
"""A submission that was blocked alone is left alone for so many times its last wait. It may hold locks that others need
while it waits, and so holds them for a third of the time at most."""

KNOWN_MAX: Final = 1024
"""So many busy keys, and sets of accounts one of which is busy, are remembered for two lock timeouts. A submission with
one of them comes here at once, and blocks no batch. The oldest is forgotten first."""


@dataclass(slots=True, eq=False)
class Entry:
    """A blocked submission.

    Attributes:
        busy: What it was told last, if it was run alone.
        until: When its time is over, by the clock of the event loop.
        blocks: How often it was blocked alone.
    """

    ticket: Ticket
    busy: KeyBusy | StorageBusy
    until: float
    blocks: int = 0


class BlockedSubmissions:
    """Runs blocked submissions again, one transaction at a time, in a task that ends when there are none.

    Attributes:
        size: Of all submissions that wait here, in items.
        known: Idempotency keys, and sets of accounts, with which submissions were blocked lately, and until when they
            are remembered, by the clock of the event loop.
    """

    def __init__(
        self, run_waiting: RunWaiting, lock_seconds_max: float, fail_others: Callable[[StorageUnavailable], None]
    ) -> None:
        """Nothing is blocked.

        Args:
            run_waiting: As `Batch.run_waiting`, with retries.
            lock_seconds_max: How long a submission waits in all, and how long its key is known to be busy.
            fail_others: Called if the storage is away.
        """
        self.size = 0
        self._run_waiting = run_waiting
        self._seconds_max = lock_seconds_max
        self._fail_others = fail_others
        self._entries = set[Entry]()
        self._sizes = Counter[UserId]()
        self._parts = deque[Sequence[Entry]]()
        self._later: list[tuple[float, int, Entry]] = []
        self._numbers = count()
        self.known: dict[Hashable, float] = {}
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def size_of(self, caller: UserId) -> int:
        """The items of one caller that wait here."""
        return self._sizes[caller]

    def expects(self, submission: Submission) -> KeyBusy | StorageBusy | None:
        """Why a submission should come here before it is run with others; `None` if it should not."""
        now = self._now()
        if self.known.get(submission.key, 0.0) > now:
            return KeyBusy("The key was busy a moment ago.")
        if self.known.get(accounts_of(submission), 0.0) > now:
            return StorageBusy("One of the accounts was busy a moment ago.")
        return None

    def add(self, tickets: Collection[Ticket], busy: KeyBusy | StorageBusy, *, expected: bool = False) -> None:
        """Take over the tickets of a batch. Each is resolved, at the latest by `close`.

        Args:
            tickets: Of the batch.
            busy: Why it was blocked.
            expected: It was not run: `expects` said that it would be blocked.
        """
        if len(tickets) > 1:
            busy = StorageBusy("Other transactions held records or keys for too long.")
        until = self._now() + self._seconds_max * (1 - BRIEF_SHARE)
        entries = [Entry(ticket, busy, until) for ticket in tickets]
        self._entries.update(entries)
        for ticket in tickets:
            self.size += ticket.size
            self._sizes[ticket.submission.key.owner_id] += ticket.size
        if expected and self._later:
            for entry in entries:
                self._put_off(entry, self._wait_of(entry))
        else:
            self._parts.extend(parts_of(entries))
        self._arrived.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._serve(), name="blocked-submissions")

    async def close(self, seconds_max: float) -> None:
        """Wait until all are answered, for so many seconds. Then interrupt what runs, and answer the rest."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=seconds_max)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._fail(StorageUnavailable("The gateway closed before the storage answered."))

    async def _serve(self) -> None:
        while self._entries:
            if self._parts:
                await self._run(self._parts.popleft())
            elif (wait := self._later[0][0] - self._now()) <= 0:
                await self._run([heapq.heappop(self._later)[-1]], again=True)
            else:
                self._arrived.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._arrived.wait()

    async def _run(self, part: Sequence[Entry], *, again: bool = False) -> None:
        now = self._now()
        late = [entry for entry in part if now >= entry.until + self._wait_of(entry)]
        for entry in late:
            self._give_up(entry)
        part = [entry for entry in part if entry not in late] if late else part
        if not part:
            return
        seconds = self._wait_of(part[0]) if len(part) == 1 else self._seconds_max * PROBE_SHARE
        try:
            outcomes = await self._run_waiting([entry.ticket.submission for entry in part], seconds)
        except BUSY as busy:
            self._blocked(part, busy, seconds)
        except StorageUnavailable as unavailable:
            self._fail(unavailable)
            self._fail_others(unavailable)
        except Exception as error:  # noqa: BLE001 - a bug in one command must not fail the others.
            if len(part) == 1:
                self._resolve(part[0], error)
            else:
                self._parts.extendleft(reversed(parts_of(part)))
        else:
            for entry, outcome in zip(part, outcomes, strict=True):
                self._forget(entry)
                self._resolve(entry, outcome)
            if again:
                # What it waited for has ended. Others may have waited for the same.
                self._parts.extend(parts_of([entry for _, _, entry in sorted(self._later)]))
                self._later.clear()

    def _blocked(self, part: Sequence[Entry], busy: KeyBusy | StorageBusy, seconds: float) -> None:
        if len(part) > 1:
            self._parts.extendleft(reversed(parts_of(part)))
            return
        [entry] = part
        entry.busy = busy
        entry.blocks += 1
        self._remember(entry)
        if entry.blocks == 1:
            self._put_off_alike(entry)
        if self._now() >= entry.until:
            self._give_up(entry)
        else:
            self._put_off(entry, seconds)

    def _put_off(self, entry: Entry, seconds: float) -> None:
        again_at = min(self._now() + seconds * PAUSE_PER_WAIT, entry.until)
        heapq.heappush(self._later, (again_at, next(self._numbers), entry))

    def _put_off_alike(self, blocked: Entry) -> None:
        """Let the others be run before those that probably wait for the same transaction as a blocked submission."""
        is_alike = likeness(blocked)
        waiting = [entry for part in self._parts for entry in part]
        others = [entry for entry in waiting if not is_alike(entry)]
        if len(others) == len(waiting):
            return
        self._parts = deque(parts_of(others))
        for entry in waiting:
            if is_alike(entry):
                self._put_off(entry, 0.0)

    def _wait_of(self, entry: Entry) -> float:
        return self._seconds_max * min(PROBE_SHARE * 2.0**entry.blocks, BRIEF_SHARE)

    def _remember(self, entry: Entry) -> None:
        """Call it after the submission was blocked."""
        submission = entry.ticket.submission
        accounts = accounts_of(submission)
        known: Hashable = submission.key if isinstance(entry.busy, KeyBusy) else accounts
        self.known.pop(known, None)
        if isinstance(entry.busy, KeyBusy) or accounts:
            self.known[known] = self._now() + 2 * self._seconds_max
        if len(self.known) > KNOWN_MAX:
            del self.known[next(iter(self.known))]

    def _forget(self, entry: Entry) -> None:
        """Call it after the submission was answered."""
        if self.known:
            self.known.pop(entry.ticket.submission.key, None)
            self.known.pop(accounts_of(entry.ticket.submission), None)

    def _give_up(self, entry: Entry) -> None:
        submission = entry.ticket.submission
        if isinstance(entry.busy, StorageBusy):
            self._resolve(entry, entry.busy)
        else:
            self._resolve(entry, in_progress(submission))

    def _fail(self, unavailable: StorageUnavailable) -> None:
        for entry in tuple(self._entries):
            self._resolve(entry, unavailable)
        self._parts.clear()
        self._later.clear()

    def _resolve(self, entry: Entry, outcome: Answer | Failed | Exception) -> None:
        self._entries.discard(entry)
        ticket, caller = entry.ticket, entry.ticket.submission.key.owner_id
        self.size -= ticket.size
        self._sizes[caller] -= ticket.size
        if not self._sizes[caller]:
            del self._sizes[caller]
        ticket.resolve(outcome)

    def _now(self) -> float:
        return float(asyncio.get_running_loop().time())


def accounts_of(submission: Submission) -> frozenset[AccountKey]:
    """The accounts of a submission, if it knows them before they are loaded; else nothing."""
    reservation = Reservation.of(submission)
    return frozenset[AccountKey]() if reservation is None else frozenset(reservation.account_keys)


def likeness(blocked: Entry) -> Callable[[Entry], bool]:
    """Whether another submission has the same key, if that is busy; else whether it may need one of the accounts."""
    submission = blocked.ticket.submission
    if isinstance(blocked.busy, KeyBusy):
        return lambda entry: entry.ticket.submission.key == submission.key
    reservation = Reservation.of(submission)
    return lambda entry: reservation is not None and reservation.excludes(entry.ticket.submission)


def parts_of(entries: Sequence[Entry]) -> list[Sequence[Entry]]:
    """At most `PARTS` parts of about the same size, in order."""
    length = max(1, -(-len(entries) // PARTS))
    return [entries[start : start + length] for start in range(0, len(entries), length)]
