"""Two processes on one Postgres database, for tests of pipelined batches: one is held up, the other goes on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text

from gateway import Pay
from gateway.adapters.sql import SqlLimits
from gateway.adapters.sql.engine import audit_engine
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.commands.shared.payments import PaymentResult
from gateway.application.engine.batch import Batch
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.engine.submission import Answer, CommandSubmission, Failed, Submission
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import TryAgain, Wanted
from gateway.contracts.records import NOW, USD, user_id
from gateway.domain.account import AccountId, AccountKey
from gateway.domain.money import Money
from gateway.domain.payment import CaptureMethod
from gateway.domain.payment_terms import PaymentOrder
from gateway.domain.user import Role
from support.builders import deposit, pay, register, submit, usd

PATIENT = SqlLimits(lock_timeout_seconds=160, statement_timeout_seconds=25, command_timeout_seconds=30)
"""Nothing ends by itself that a test holds up, however slow the machine is."""

NOTICE_SECONDS_MAX = 20.0
A_MOMENT_SECONDS = 0.05
"""Long enough for a batch to be decided, if nothing keeps it from it."""

WHO_WAITS = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
STOP = text("SELECT pg_terminate_backend(:backend)")


@dataclass(slots=True)
class Process:
    """What the database takes for a process: a storage of its own, which batches are run on.

    Attributes:
        storage: Remembers what this process has committed.
        decided: How many batches were decided, those that were decided again included.
    """

    storage: Storage
    decided: int = 0

    async def once(self, *submissions: Submission) -> list[Answer]:
        """Run a batch, and raise what it raises."""
        return answered(await self._run_batch(submissions))

    async def run(self, *submissions: Submission) -> list[Answer]:
        """Run a batch, again if it has to be."""
        return answered(await retrying(self._run_batch, RetryLimits())(submissions))

    def executor(self) -> GroupCommit:
        """An executor with two batches under way, through which nobody is told that the storage is away."""
        run_batch = retrying(self._run_batch, RetryLimits(attempts_max=50, duration_seconds_max=60))
        return GroupCommit(run_batch, GroupLimits(batch_size_max=16), scheduling=self.storage.scheduling)

    async def has_decided(self, count: int) -> None:
        """Wait until so many batches were decided."""
        async with asyncio.timeout(NOTICE_SECONDS_MAX):
            while self.decided < count:  # noqa: ASYNC110 - a batch tells nobody, and must not be slowed down.
                await asyncio.sleep(0.001)

    async def available(self, *accounts: AccountId) -> list[int]:
        """What these accounts have, in cents."""
        found = [await self.storage.reader.account(account_id) for account_id in accounts]
        return [account.available for account in found if account is not None]

    def executor_that_retries_once(self, *, lock_seconds_max: float = 2.0) -> GroupCommit:
        """An executor as a gateway has it, in which a batch that failed twice is not run again."""
        once_more = RetryLimits(attempts_max=2, duration_seconds_max=60)
        return GroupCommit(
            retrying(self._run_batch, once_more),
            GroupLimits(lock_seconds_max=lock_seconds_max),
            scheduling=self.storage.scheduling,
            run_waiting=retrying(self._batch().run_waiting, once_more),
        )

    async def waiting(self, *submissions: Submission) -> list[Answer]:
        """Run a batch beside others, which waits for locks as long as the test takes."""
        return answered(await self._batch().run_waiting(submissions, NOTICE_SECONDS_MAX))

    async def beside(self, submission: Submission) -> Failed:
        """Run a submission that fails as a large one is run."""
        failed = await self._batch().run_beside(submission)
        assert isinstance(failed, Failed), failed
        return failed

    async def _run_batch(self, submissions: Sequence[Submission]) -> list[Answer | Failed]:
        return await self._batch().run(submissions)

    def _batch(self) -> Batch:
        return Batch(unit_of_work=self.storage.unit_of_work, clock=self._now, identifiers=time_ordered_id)

    def _now(self) -> datetime:
        self.decided += 1  # The time is read when all is loaded, once for each time that a batch is decided.
        return NOW


@dataclass(slots=True)
class People:
    """Three customers (users 1, 3 and 5) and whom they pay (2, 4 and 6). Each has 100 cents, on the account here."""

    customers: list[AccountId]
    merchants: list[AccountId]


async def populated(process: Process) -> People:
    """Register them, and give them their money."""
    roles = [Role.CUSTOMER, Role.MERCHANT] * 3
    commands = [register(number, role) for number, role in enumerate(roles, start=1)]
    registered = await process.run(*(submit(each, time_ordered_id("key")) for each in commands))
    accounts = [answer.outcome.accounts[0].id for answer in registered]
    await process.run(*(asked(deposit(usd(100), to=account)) for account in accounts))
    return People(customers=accounts[::2], merchants=accounts[1::2])


def asked(command: Any) -> CommandSubmission:
    """The command, under a key of its own."""
    return submit(command, time_ordered_id("key"))


def held_payment(amount_minor: int) -> Pay:
    """A payment of the first customer's that their merchant has yet to take."""
    order = PaymentOrder(
        customer_id=user_id(1),
        merchant_id=user_id(2),
        amount=Money(amount_minor, USD),
        capture=CaptureMethod.MANUAL,
        metadata={},
    )
    return Pay(order=order)


def answered(answers: list[Any]) -> list[Answer]:
    assert all(isinstance(answer, Answer) for answer in answers), answers
    return answers


def outcomes(*done: "asyncio.Task[list[Answer]]") -> list[type]:
    """What kind of outcome each submission had."""
    return [type(answer.outcome) for task in done for answer in task.result()]


async def failure(work: Awaitable[Any]) -> TryAgain:
    """The error that this must end with."""
    with pytest.raises(TryAgain) as caught:
        await work
    return caught.value


@asynccontextmanager
async def held_up(elsewhere: Process, account_id: AccountId) -> AsyncIterator[asyncio.TaskGroup]:
    """Another process has locked an account: whatever writes it waits for the end of this, and then may go on.

    So do the tasks of the group, all of which have ended after this.
    """
    async with asyncio.TaskGroup() as tasks, elsewhere.storage.unit_of_work() as holder:
        await holder.load(Wanted(account_ids=[account_id]))
        yield tasks


@asynccontextmanager
async def held_key(postgres_url: str, submission: Submission) -> AsyncIterator[None]:
    """A transaction that does not end has written an answer under the key of a submission."""
    engine = audit_engine(postgres_url, SqlLimits())
    async with DatabaseTransaction(engine) as holder:
        claim = text("INSERT INTO answers VALUES (:owner, :key, '', '', now())")
        await holder.change(claim, {"owner": submission.key.owner_id, "key": submission.key.key})
        yield
    await engine.dispose()


async def waiting(postgres: DatabaseTransaction) -> int:
    """Wait until a statement waits for a lock; the process id of its backend."""
    async with asyncio.timeout(NOTICE_SECONDS_MAX):
        while not (found := await postgres.rows(WHO_WAITS)):
            await postgres.commit()  # Within a transaction, the view stays as it was first seen.
            await asyncio.sleep(0.005)
    await postgres.commit()
    backend: int = found[0][0]
    return backend


async def a_moment() -> None:
    await asyncio.sleep(A_MOMENT_SECONDS)


async def given_up(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def one_after_the_other(
    here: Process,
    elsewhere: Process,
    people: People,
    postgres: DatabaseTransaction,
    fails: Submission,
    follows: Submission,
    end: Any = None,
) -> tuple[TryAgain, Answer]:
    """The failure of one, and the answer to another that was decided, and refused, while the first was under way."""
    async with held_up(elsewhere, people.merchants[0]) as tasks:
        first = tasks.create_task(failure(here.once(fails)))
        backend = await waiting(postgres)
        second = tasks.create_task(here.run(follows))
        await here.has_decided(2)
        if end is not None:
            await postgres.rows(end, {"backend": backend})
    [answer] = second.result()
    return first.result(), answer


async def goes_on(here: Process, people: People) -> None:
    """Two batches at once, as if nothing had been."""
    async with asyncio.timeout(NOTICE_SECONDS_MAX):
        answers = await asyncio.gather(
            here.run(asked(deposit(usd(1), to=people.customers[0]))), here.run(asked(pay(usd(1))))
        )
    assert isinstance(answers[1][0].outcome, PaymentResult)


async def elsewhere_reads(elsewhere: Process, key: AccountKey) -> int:
    """What an account of the gateway's own holds."""
    async with elsewhere.storage.audit() as audit:
        accounts = {account.key: account async for page in audit.accounts() for account in page}
    return accounts[key].posted
