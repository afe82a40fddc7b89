"""Group commit: concurrent submissions share one transaction.

While a batch commits, new submissions wait for the next batch, which their callers share in turns. There are no timers:
a lone submission starts at once. Grouping never changes an outcome, so no use-case depends on it.

Source: DeWitt et al., "Implementation Techniques for Main Memory Database Systems" (SIGMOD 1984), which named it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from typing_extensions import override

from gateway.application.engine.batch import RunBatch, RunBeside, RunWaiting
from gateway.application.engine.blocked import BlockedSubmissions
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.engine.executor import BUSY, Executor, isolating
from gateway.application.engine.fair_queue import FairQueue
from gateway.application.engine.reservation import Reservation
from gateway.application.engine.submission import Answer, Failed, Submission
from gateway.application.engine.ticket import Ticket
from gateway.application.errors import Overloaded, RateLimited
from gateway.application.ports.busy import StorageBusy
from gateway.application.ports.storage import Scheduling, sequential
from gateway.application.ports.unit_of_work import KeyBusy, StorageUnavailable
from gateway.domain.immutable import immutable
from gateway.domain.user import UserId

PIPELINED_SHARE: Final = 0.5
"""A pipelined batch begins when it has this share of the size of the batches in flight, or is full. With a smaller
batch, the submissions after it would wait for one more commit."""

QUIET_TURNS: Final = 8
"""An alternating batch begins after this many turns of the event loop (some 10 µs) without a new submission. Later
requests wait for a batch of every other process."""

LARGE_BATCHES_BEFORE_PIPELINING: Final = 2
"""A large batch (one bulk submission that is larger than a batch) begins beside another one only if so many large ones
have begun without a smaller batch between them. Otherwise others are paying too, and they would wait for both."""

RETRY_AFTER_SECONDS: Final = 1
"""When a caller with too many waiting items may try again: some thousand items are committed in a second."""


@immutable
class GroupLimits:
    """Limits of batches and of the queue.

    Attributes:
        batch_size_max: Items in one transaction: commands, and of a bulk submission each part. Above some hundreds, the
            cost per item no longer falls.
        waiting_max: Items that may wait for a batch. Further ones are refused.
        waiting_per_caller_max: Items of one caller that may wait. Further ones of this caller are refused.
        write_connections: Batches in flight at once, if the storage pipelines them. With two, the next batch is decided
            while one commits; with one, batches are sequential.
        lock_seconds_max: How long a submission waits for other transactions that hold its key or its records.
        close_seconds_max: How long `close` waits for batches in flight. Then it interrupts them, and their callers do
            not learn whether they were committed.
    """

    batch_size_max: int = 256
    waiting_max: int = 16_384
    waiting_per_caller_max: int = 4_096
    write_connections: int = 2
    lock_seconds_max: float = 2.0
    close_seconds_max: float = 10.0


class GroupCommit(Executor):
    """Groups submissions into batches. Create it in a running event loop; `close` it."""

    def __init__(
        self,
        run_batch: RunBatch,
        limits: GroupLimits,
        *,
        scheduling: Callable[[], Scheduling] = sequential,
        run_beside: RunBeside | None = None,
        run_waiting: RunWaiting | None = None,
    ) -> None:
        """Start the workers.

        Args:
            run_batch: Decides and commits a batch.
            limits: Limits of batches and of the queue.
            scheduling: As `Storage.scheduling`.
            run_beside: As `Batch.run_beside`. When `None`, no batch begins while a large one runs.
            run_waiting: As `Batch.run_waiting`, with retries. A batch with a busy key or record is run again with it,
                beside the others. When `None`, its submissions are run one by one, and then the next batch.
        """
        self._loop = OneEventLoop()
        self._run_batch = isolating(run_batch, refuses_busy=run_waiting is None)
        self._waits_for = KeyBusy if run_waiting is None else BUSY
        self._blocked = BlockedSubmissions(
            run_waiting or without_waiting(run_batch), limits.lock_seconds_max, self._fail_waiting
        )
        self._limits = limits
        self._scheduling = scheduling
        self._waiting = FairQueue[Ticket](limits.batch_size_max)
        self._run_beside = run_beside
        self._reservation: Reservation | None = None
        self._running = set[asyncio.Future[None]]()
        self._in_flight_size = 0
        self._large_in_flight = 0
        self._large_in_a_row = 0
        self._gathering = False
        self._idle = deque[asyncio.Future[None]]()
        self._workers = [
            asyncio.create_task(self._serve(), name=f"group-commit-{n}") for n in range(limits.write_connections)
        ]

    @override
    def submit(self, submission: Submission) -> asyncio.Future[Answer]:
        loop = self._loop.check()
        caller, size = submission.key.owner_id, submission.size
        self.check_room(caller, size)
        ticket = Ticket(submission=submission, answer=loop.create_future(), size=size)
        if self._blocked.known and (busy := self._blocked.expects(submission)):
            self._blocked.add([ticket], busy, expected=True)
            return ticket.answer
        self._waiting.add(caller, size, ticket)
        self._wake()
        return ticket.answer

    @override
    def check_room(self, caller: UserId, size: int) -> None:
        if self.is_closing:
            raise Overloaded("The gateway is closing.")
        limits, waiting, blocked = self._limits, self._waiting, self._blocked
        waiting_of_all = waiting.size + blocked.size
        # A submission larger than a limit may wait alone.
        if waiting_of_all and waiting_of_all + size > limits.waiting_max:
            raise Overloaded("Too much is waiting.")
        waiting_of_caller = waiting.size_of(caller)
        if blocked.size:
            waiting_of_caller += blocked.size_of(caller)
        if waiting_of_caller and waiting_of_caller + size > limits.waiting_per_caller_max:
            raise RateLimited("Too much of yours is waiting.", retry_after_seconds=RETRY_AFTER_SECONDS)

    async def close(self) -> None:
        """Refuse new submissions, answer those that wait, and stop the workers."""
        self.is_closing = True
        while self._idle:
            self._idle.popleft().set_result(None)
        until = self._loop.check().time() + self._limits.close_seconds_max
        _, late = await asyncio.wait(self._workers, timeout=self._limits.close_seconds_max)
        for worker in late:
            worker.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        await self._blocked.close(until - self._loop.check().time())
        self._fail_waiting(StorageUnavailable("The gateway closed before the storage answered."))

    async def _serve(self) -> None:
        while await self._wait_for_batch():
            tickets = self._take()
            if not tickets:
                continue  # All of them wait for the large submission that runs.
            size = sum([ticket.size for ticket in tickets])
            is_large = size > self._limits.batch_size_max
            if is_large and await self._is_done_beside(tickets[0]):
                continue
            self._in_flight_size += size
            self._large_in_flight += is_large
            self._large_in_a_row = self._large_in_a_row + 1 if is_large else 0
            self._wake()
            await self._run(tickets)
            self._in_flight_size -= size
            self._large_in_flight -= is_large

    def _take(self) -> list[Ticket]:
        reservation = self._reservation
        if reservation is None:
            return self._waiting.take()
        return self._waiting.take_beside(lambda ticket: reservation.excludes(ticket.submission))

    async def _is_done_beside(self, ticket: Ticket) -> bool:
        """Run a large submission beside smaller batches. False if it must be run like any other batch."""
        run_beside = self._run_beside
        if run_beside is None or self.is_closing or self._may_pipeline_large or self._limits.write_connections == 1:
            return False
        reservation = Reservation.of(ticket.submission)
        if reservation is None or self._scheduling() is not Scheduling.PIPELINED:
            return False
        self._reservation = reservation
        self._large_in_a_row += 1
        begun_before = list(self._running)
        self._wake()
        try:
            if begun_before:
                await asyncio.wait(begun_before)
            answer = await run_beside(ticket.submission)
        except StorageUnavailable as unavailable:
            ticket.resolve(unavailable)
            self._fail_waiting(unavailable)
            return True
        except asyncio.CancelledError:
            ticket.resolve(StorageUnavailable("The gateway closed before the storage answered."))
            raise
        finally:
            self._reservation = None
            self._waiting.release()
        if answer is None:
            return False
        self._resolve([ticket], [answer])
        return True

    def _wake(self) -> None:
        """Wake an idle worker, if a batch can begin."""
        if self._idle and self._can_begin():
            self._idle.popleft().set_result(None)

    async def _wait_for_batch(self) -> bool:
        """Wait until a batch can begin. False if the executor is closed and no submission waits."""
        while not self._can_begin():
            if self.is_closing:
                return False
            woken = asyncio.get_running_loop().create_future()
            self._idle.append(woken)
            await woken
        if self._scheduling() is Scheduling.ALTERNATING and not self.is_closing:
            await self._gather()
        return True

    async def _gather(self) -> None:
        """Collect the submissions that are about to arrive. Other workers begin no batch meanwhile."""
        self._gathering = True
        quiet_turns = 0
        while quiet_turns < QUIET_TURNS and self._waiting.size < self._limits.batch_size_max:
            size = self._waiting.size
            await asyncio.sleep(0)
            quiet_turns = quiet_turns + 1 if self._waiting.size == size else 0
        self._gathering = False

    def _can_begin(self) -> bool:
        if self._gathering or (self._reservation is not None and not self._waiting.has_small):
            return False
        if self.is_closing or not (self._waiting and self._in_flight_size):
            return bool(self._waiting)
        if self._large_in_flight and self._waiting.next_is_large and not self._may_pipeline_large:
            return False
        worth_it = min(self._in_flight_size * PIPELINED_SHARE, self._limits.batch_size_max)
        return self._waiting.size >= worth_it and self._scheduling() is Scheduling.PIPELINED

    @property
    def _may_pipeline_large(self) -> bool:
        return self._large_in_a_row >= LARGE_BATCHES_BEFORE_PIPELINING

    async def _run(self, tickets: Sequence[Ticket]) -> None:
        ended = asyncio.get_running_loop().create_future()
        self._running.add(ended)
        try:
            outcomes = await self._run_batch([ticket.submission for ticket in tickets])
        except StorageUnavailable as unavailable:
            # Waiting submissions would fail too, each after another time-out: they fail at once.
            for ticket in tickets:
                ticket.resolve(unavailable)
            self._fail_waiting(unavailable)
        except asyncio.CancelledError:
            for ticket in tickets:
                ticket.resolve(StorageUnavailable("The gateway closed before the storage answered."))
            raise
        except Exception as bug:  # noqa: BLE001 - without its worker, submissions would wait for ever.
            for ticket in tickets:
                ticket.resolve(bug)
        else:
            self._resolve(tickets, outcomes)
        finally:
            self._running.discard(ended)
            ended.set_result(None)

    def _resolve(self, tickets: Sequence[Ticket], outcomes: Sequence[Answer | Failed]) -> None:
        blocked: list[Ticket] = []
        busy: KeyBusy | StorageBusy | None = None
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            if isinstance(outcome, Failed) and isinstance(outcome.error, self._waits_for):
                blocked.append(ticket)
                busy = outcome.error
            else:
                ticket.resolve(outcome)
        if busy is not None:
            self._blocked.add(blocked, busy)

    def _fail_waiting(self, error: StorageUnavailable) -> None:
        for ticket in self._waiting.take_all():
            ticket.resolve(error)


def without_waiting(run_batch: RunBatch) -> RunWaiting:
    """`run_batch`, which chooses itself how long it waits for locks."""

    async def run(submissions: Sequence[Submission], _lock_seconds_max: float) -> list[Answer | Failed]:
        return await run_batch(submissions)

    return run
