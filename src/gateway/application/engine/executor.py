"""Executors: take a submission, commit it, return its answer."""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from typing_extensions import override

from gateway.application.engine.batch import RunBatch, refusal
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.engine.submission import Answer, Failed, Submission
from gateway.application.errors import Overloaded
from gateway.application.ports.busy import StorageBusy
from gateway.application.ports.unit_of_work import KeyBusy, StorageUnavailable
from gateway.domain.errors import IdempotencyInProgress
from gateway.domain.user import UserId

BUSY: Final = (KeyBusy, StorageBusy)
"""Another transaction holds what a batch needs. Nobody knows which of its submissions need it."""


class Executor(Protocol):
    """Answers submissions.

    Attributes:
        is_closing: Whether `close` was called. Nothing is accepted from then on.
    """

    is_closing: bool = False

    async def perform(self, submission: Submission) -> Answer:
        """Commit one submission, and return its answer. It is committed even if the caller is cancelled.

        Raises:
            WrongEventLoop: The running event loop is not the executor's. Nothing was done.
            Overloaded: Too much is waiting, or the executor is closing. Nothing was done.
            RateLimited: Too much of this caller is waiting. Nothing was done.
            StorageUnavailable: The storage could not be reached. The same key may be submitted again.
            Exception: A bug. Nothing was written.
        """
        return await self.submit(submission)

    def submit(self, submission: Submission) -> asyncio.Future[Answer]:
        """Take one submission, to commit it. Cancelling the future of its answer does not interrupt the commit.

        The future raises `StorageUnavailable` and bugs, as `perform`.

        Raises:
            WrongEventLoop: As `perform`.
            Overloaded: As `perform`.
            RateLimited: As `perform`.
        """
        ...

    def check_room(self, caller: UserId, size: int) -> None:
        """Check that a submission of `size` items would be accepted now, before it is made.

        Raises:
            Overloaded: As `perform`.
            RateLimited: As `perform`.
        """
        ...

    async def close(self) -> None:
        """Refuse new submissions, and answer those that wait."""
        ...


class OneByOne(Executor):
    """Each submission has a database transaction of its own."""

    def __init__(self, run_batch: RunBatch) -> None:
        self._loop = OneEventLoop()
        self._run_batch = isolating(run_batch)
        self._running = set[asyncio.Future[Answer]]()

    @override
    def submit(self, submission: Submission) -> asyncio.Future[Answer]:
        self._loop.check()
        self.check_room(submission.key.owner_id, submission.size)
        running = asyncio.ensure_future(self._run(submission))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        # Shielded: a caller that is cancelled must not interrupt a commit.
        return asyncio.shield(running)

    @override
    def check_room(self, caller: UserId, size: int) -> None:
        if self.is_closing:
            raise Overloaded("The gateway is closing.")

    async def close(self) -> None:
        """Refuse new submissions, and wait for the running ones."""
        self.is_closing = True
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _run(self, submission: Submission) -> Answer:
        [outcome] = await self._run_batch([submission])
        if isinstance(outcome, Failed):
            raise outcome.error
        return outcome


def isolating(run_batch: RunBatch, *, refuses_busy: bool = True) -> RunBatch:
    """`run_batch`; if a batch fails, each of its submissions is run alone, so that only the faulty one fails.

    The result raises `StorageUnavailable` only, which fails the whole batch.

    Args:
        run_batch: Runs a batch.
        refuses_busy: Whether submissions are run alone as well if a lock was not released in time; a busy key is then
            refused. Otherwise all of them have `Failed` with one of `BUSY`.
    """

    async def run(submissions: Sequence[Submission]) -> list[Answer | Failed]:
        try:
            return await run_batch(submissions)
        except BUSY as busy:
            if not refuses_busy:
                return [Failed(busy)] * len(submissions)
            if len(submissions) == 1:
                return [in_progress(submissions[0]) if isinstance(busy, KeyBusy) else Failed(busy)]
        except StorageUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - a bug in one command must not fail the whole batch.
            if len(submissions) == 1:
                return [Failed(error)]
        return [outcome for submission in submissions for outcome in await run([submission])]

    return run


def in_progress(submission: Submission) -> Answer | Failed:
    """The refusal of a submission whose key is busy (`GATEWAY_DATABASE_LOCK_TIMEOUT_SECONDS`)."""
    return refusal(submission, IdempotencyInProgress("The first request with this key is still running."))
