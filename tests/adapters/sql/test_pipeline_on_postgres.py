"""On Postgres the next batch is decided while one commits: nobody is told, and nothing is kept, that rests on less."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from gateway import CapturePayment, FreezeAccount, OpenAccount, Pay, SetFees, UnfreezeAccount
from gateway.adapters.sql import SqlLimits, contention, open_sql_storage
from gateway.adapters.sql.engine import audit_engine
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.commands.shared.payments import PaymentResult
from gateway.application.engine.batch import Batch
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.engine.outcome_codec import decode
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.engine.submission import Answer, CommandSubmission, Failed, Submission
from gateway.application.ports.storage import Scheduling, Storage
from gateway.application.ports.unit_of_work import AnswerKey, Conflict, KeyTaken, TryAgain, Wanted
from gateway.application.verification.verify import verify
from gateway.contracts.records import EUR, NOW, USD, user_id
from gateway.domain.account import AccountId, AccountKey, AccountKind, system_account
from gateway.domain.errors import AccountFrozen, CurrencyMismatch, InsufficientFunds
from gateway.domain.fees import FeeSchedule
from gateway.domain.money import Money
from gateway.domain.payment import CaptureMethod
from gateway.domain.payment_terms import PaymentOrder
from gateway.domain.user import Role
from support.builders import deposit, eur, pay, register, submit, usd
from support.statements import Send, between, counting, hearing, losing_one_answer

PATIENT = SqlLimits(lock_timeout_seconds=20, statement_timeout_seconds=25, command_timeout_seconds=30)
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

    async def _run_batch(self, submissions: Sequence[Submission]) -> list[Answer | Failed]:
        batch = Batch(unit_of_work=self.storage.unit_of_work, clock=self._now, identifiers=time_ordered_id)
        return await batch.run(submissions)

    def _now(self) -> datetime:
        self.decided += 1  # The time is read when all is loaded, once for each time that a batch is decided.
        return NOW


@dataclass(slots=True)
class People:
    """Three customers (users 1, 3 and 5) and whom they pay (2, 4 and 6). Each has 100 cents, on the account here."""

    customers: list[AccountId]
    merchants: list[AccountId]


@pytest.fixture
async def here(postgres_url: str) -> AsyncIterator[Process]:
    """Where the tests look at. In the end the books must be in order."""
    async with open_sql_storage(postgres_url, PATIENT) as storage:
        yield Process(storage)
        async with storage.audit() as audit:
            assert (await verify(audit)).named == []


@pytest.fixture
async def elsewhere(postgres_url: str) -> AsyncIterator[Process]:
    """Another process, which locks whatever it loads."""
    async with open_sql_storage(postgres_url, replace(PATIENT, optimistic=False)) as storage:
        yield Process(storage)


@pytest.fixture
async def postgres(postgres_url: str) -> AsyncIterator[DatabaseTransaction]:
    """A connection on which Postgres tells what the others do."""
    engine = audit_engine(postgres_url, SqlLimits())
    async with DatabaseTransaction(engine) as transaction:
        yield transaction
    await engine.dispose()


@pytest.fixture
async def people(here: Process) -> People:
    """All of their accounts are remembered here, and there are connections for three batches, so that none is slow."""
    found = await populated(here)
    async with here.storage.unit_of_work(), here.storage.unit_of_work(), here.storage.unit_of_work():
        pass
    here.decided = 0
    return found


async def populated(process: Process) -> People:
    """Register them, and give them their money."""
    roles = [Role.CUSTOMER, Role.MERCHANT] * 3
    commands = [register(number, role) for number, role in enumerate(roles, start=1)]
    registered = await process.run(*(submit(each, time_ordered_id("key")) for each in commands))
    accounts = [answer.outcome.accounts[0].id for answer in registered]
    await process.run(*(asked(deposit(usd(100), to=account)) for account in accounts))
    return People(customers=accounts[::2], merchants=accounts[1::2])


# The next one is decided while one commits.


async def test_the_next_batch_is_decided_while_one_commits_on_what_that_one_leaves(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    async with held_up(elsewhere, people.merchants[0]) as tasks:
        with counting() as counted:
            first = tasks.create_task(here.run(asked(pay(usd(60)))))
            await waiting(postgres)
            second = tasks.create_task(here.run(asked(pay(usd(60))), asked(pay(usd(40)))))
            await here.has_decided(2)
            await a_moment()
            assert counted == {"statements": 1, "BEGIN": 0, "COMMIT": 0}, "the second one waits for the first"
    assert outcomes(first) == [PaymentResult]
    assert outcomes(second) == [InsufficientFunds, PaymentResult]
    assert here.decided == 2
    assert await here.available(people.customers[0], people.merchants[0]) == [0, 200]


async def test_a_chain_of_batches_each_decided_on_the_one_before(here: Process, people: People) -> None:
    with counting() as counted:
        answers = await asyncio.gather(*(here.run(asked(pay(usd(30)))) for _ in range(4)))
    assert [type(answer.outcome) for [answer] in answers] == [PaymentResult] * 3 + [InsufficientFunds]
    assert here.decided == 4
    assert counted == {"statements": 4, "BEGIN": 0, "COMMIT": 0}
    assert await here.available(people.customers[0], people.merchants[0]) == [10, 190]


async def test_the_statement_of_one_is_sent_before_the_next_one_is_decided(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    """Deciding a large batch takes as long as writing one, and nothing else of this process goes on meanwhile."""
    decided_when_sent: list[int] = []
    with hearing(lambda: decided_when_sent.append(here.decided)):
        async with held_up(elsewhere, people.merchants[0]) as tasks:
            tasks.create_task(here.run(asked(pay(usd(10)))))
            await waiting(postgres)
            tasks.create_task(here.run(asked(pay(usd(10)))))
            await here.has_decided(2)
            tasks.create_task(here.run(asked(pay(usd(10)))))
            await a_moment()
    assert decided_when_sent == [0, 1, 2, 3]  # what locks the account; the payments


# A pipelined batch is not committed if the batch before it is not.


async def test_if_the_one_before_finds_its_key_taken_the_next_one_is_decided_again(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    taken = asked(pay(usd(60)))
    await elsewhere.run(replace(taken, command=pay(usd(1), customer=3, merchant=4)))
    first, second = await one_after_the_other(here, elsewhere, people, postgres, taken, asked(pay(usd(60))))
    assert isinstance(first, KeyTaken)
    assert isinstance(second.outcome, PaymentResult)
    assert here.decided == 3
    assert here.storage.scheduling() is Scheduling.PIPELINED, "whoever asks twice is no reason to lock"
    assert await here.available(people.customers[0], people.merchants[0]) == [40, 160]


async def test_if_the_one_before_is_overtaken_the_next_one_is_decided_again(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    await elsewhere.run(asked(deposit(usd(10), to=people.customers[0])))
    first, second = await one_after_the_other(
        here, elsewhere, people, postgres, asked(pay(usd(60))), asked(pay(usd(110)))
    )
    assert isinstance(first, Conflict)
    assert isinstance(second.outcome, PaymentResult)
    assert here.decided == 3
    assert here.storage.scheduling() is Scheduling.ALTERNATING
    assert await here.available(people.customers[0], people.merchants[0]) == [0, 210]


async def test_another_process_that_has_been_at_work_is_run_into_once(
    here: Process, elsewhere: Process, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contention, "LOCKING_SECONDS_MIN", 0.0)
    pairs = [(1, 2), (3, 4), (5, 6)]
    orders = [pay(usd(1), customer=customer, merchant=merchant) for customer, merchant in pairs]
    for process in (here, elsewhere):
        for order in orders:
            await process.run(asked(order))
    here.decided = 0
    for order in orders:
        await here.run(asked(order))
    assert here.decided == len(orders) + 1
    assert await here.available(*people.customers) == [97] * 3


async def test_if_the_connection_of_the_one_before_breaks_the_next_one_is_decided_again(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    first, second = await one_after_the_other(
        here, elsewhere, people, postgres, asked(pay(usd(60))), asked(pay(usd(60))), end=STOP
    )
    assert type(first) is TryAgain
    assert isinstance(second.outcome, PaymentResult)
    assert here.decided == 3
    assert await here.available(people.customers[0], people.merchants[0]) == [40, 160]


async def test_nobody_pays_twice_if_the_connection_broke_after_the_commit(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    async with held_up(elsewhere, people.merchants[0]) as tasks:
        with losing_one_answer():
            first = tasks.create_task(here.run(asked(pay(usd(60)))))
            await waiting(postgres)
        second = tasks.create_task(here.run(asked(pay(usd(40)))))
        await here.has_decided(2)
    [told] = first.result()
    assert told.replayed
    assert outcomes(second) == [PaymentResult]
    assert here.decided == 4
    assert await here.available(people.customers[0], people.merchants[0]) == [0, 200]


async def test_both_go_through_in_the_end_whatever_becomes_of_the_first(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    async with held_up(elsewhere, people.merchants[0]) as tasks:
        first = tasks.create_task(here.run(asked(pay(usd(60)))))
        backend = await waiting(postgres)
        second = tasks.create_task(here.run(asked(pay(usd(40)))))
        await here.has_decided(2)
        await postgres.rows(STOP, {"backend": backend})
    assert outcomes(first, second) == [PaymentResult, PaymentResult]
    assert await here.available(people.customers[0], people.merchants[0]) == [0, 200]


# Keys.


async def test_a_key_that_the_one_before_answers_is_answered_once(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    the_same = asked(pay(usd(60)))
    async with held_up(elsewhere, people.merchants[0]) as tasks:
        first = tasks.create_task(here.run(the_same))
        await waiting(postgres)
        second = tasks.create_task(here.run(the_same, asked(pay(usd(40)))))
        await a_moment()
        assert here.decided == 1, "the second one waits for the answer"
    [paid], [replayed, another] = first.result(), second.result()
    assert (paid.replayed, replayed.replayed, another.replayed) == (False, True, False)
    assert replayed.body == paid.body
    assert here.decided == 2
    assert await here.available(people.customers[0], people.merchants[0]) == [0, 200]


async def test_a_key_that_the_one_before_fails_to_answer_is_answered_by_the_next_one(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    the_same = asked(pay(usd(60)))
    async with held_up(elsewhere, people.merchants[0]) as tasks:
        first = tasks.create_task(failure(here.once(the_same)))
        backend = await waiting(postgres)
        second = tasks.create_task(here.run(the_same))
        await a_moment()
        await postgres.rows(STOP, {"backend": backend})
    assert type(first.result()) is TryAgain
    assert outcomes(second) == [PaymentResult]
    assert await here.available(people.customers[0], people.merchants[0]) == [40, 160]


async def test_a_key_that_was_answered_elsewhere_is_not_refused_for_what_came_later(
    here: Process, people: People, postgres_url: str
) -> None:
    """The refusal of a frozen account is not stored, so nothing is written that would find the key taken."""
    paid = asked(pay(usd(10)))
    [there] = await here.run(paid)
    async with open_sql_storage(postgres_url, PATIENT) as storage:
        third = Process(storage)
        await third.run(asked(pay(usd(1))))
        await third.run(asked(FreezeAccount(account_id=people.customers[0])))
        [again] = await third.run(paid)
        assert again.replayed
        assert again.body == there.body
    assert await here.available(people.customers[0], people.merchants[0]) == [89, 111]


async def test_a_key_that_was_answered_elsewhere_is_found_while_unknown_accounts_are_read(
    elsewhere: Process, people: People, postgres_url: str
) -> None:
    paid = asked(pay(usd(10)))
    [there] = await elsewhere.run(paid)
    async with open_sql_storage(postgres_url, PATIENT) as storage:
        third = Process(storage)
        await third.run(asked(deposit(usd(1), to=people.customers[0])))
        with counting() as counted:
            [again] = await third.once(paid)
    assert again.body == there.body
    assert third.decided == 2
    # What is read; the answer; that the customer's account is as it was remembered.
    assert counted == {"statements": 3, "BEGIN": 0, "COMMIT": 0}


# What rests on memory is checked, whether or not it is changed.


async def test_a_refusal_that_memory_is_right_about_takes_one_statement(here: Process, people: People) -> None:
    with counting() as counted:
        [refused, paid] = await here.once(asked(pay(usd(101))), asked(pay(usd(1), customer=3, merchant=4)))
    assert isinstance(refused.outcome, InsufficientFunds)
    assert isinstance(paid.outcome, PaymentResult)
    assert here.decided == 1
    assert counted == {"statements": 1, "BEGIN": 0, "COMMIT": 0}
    assert await here.available(people.customers[0], people.customers[1]) == [100, 99]


async def test_one_that_is_not_kept_takes_two(here: Process, people: People) -> None:
    await here.run(asked(FreezeAccount(account_id=people.customers[0])))
    here.decided = 0
    with counting() as counted:
        [refused] = await here.once(asked(pay(usd(1))))
    assert isinstance(refused.outcome, AccountFrozen)
    assert here.decided == 1
    assert counted == {
        "statements": 2,
        "BEGIN": 0,
        "COMMIT": 0,
    }  # whether the key was answered; whether memory is right


async def test_who_has_got_money_elsewhere_is_not_refused(here: Process, elsewhere: Process, people: People) -> None:
    await elsewhere.run(asked(deposit(usd(1), to=people.customers[0])))
    [paid, refused] = await here.run(asked(pay(usd(101))), asked(pay(usd(101), customer=3, merchant=4)))
    assert isinstance(paid.outcome, PaymentResult)
    assert isinstance(refused.outcome, InsufficientFunds)
    assert here.decided == 2
    assert await here.available(people.customers[0], people.customers[1]) == [0, 100]


async def test_who_has_spent_it_elsewhere_is(here: Process, elsewhere: Process, people: People) -> None:
    await elsewhere.run(asked(pay(usd(100))))
    [refused, paid] = await here.run(asked(pay(usd(1))), asked(pay(usd(1), customer=3, merchant=4)))
    assert isinstance(refused.outcome, InsufficientFunds)
    assert isinstance(paid.outcome, PaymentResult)
    assert here.decided == 2
    assert await here.available(people.customers[0], people.customers[1]) == [0, 99]


async def test_who_was_frozen_elsewhere_does_not_pay(here: Process, elsewhere: Process, people: People) -> None:
    await elsewhere.run(asked(FreezeAccount(account_id=people.customers[0])))
    [refused] = await here.run(asked(pay(usd(1))))
    assert isinstance(refused.outcome, AccountFrozen)
    assert here.decided == 2


async def test_who_may_pay_again_elsewhere_does(here: Process, elsewhere: Process, people: People) -> None:
    await here.run(asked(FreezeAccount(account_id=people.customers[0])))
    await elsewhere.run(asked(UnfreezeAccount(account_id=people.customers[0])))
    [paid] = await here.run(asked(pay(usd(1))))
    assert isinstance(paid.outcome, PaymentResult)
    assert here.decided == 1 + 2


async def test_a_refusal_that_rests_on_the_one_before_is_told_once_that_one_is_committed(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    async with held_up(elsewhere, people.merchants[0]) as tasks:
        tasks.create_task(here.run(asked(pay(usd(60)))))
        await waiting(postgres)
        second = tasks.create_task(here.run(asked(pay(usd(60)))))
        await here.has_decided(2)
        await a_moment()
        assert not second.done()
    assert outcomes(second) == [InsufficientFunds]
    assert here.decided == 2


# What the next one waits for.


async def test_an_account_that_is_opened_is_waited_for(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    opening = [
        OpenAccount(key=AccountKey(user_id(1), EUR, AccountKind.CUSTOMER)),
        OpenAccount(key=AccountKey(user_id(2), EUR, AccountKind.MERCHANT)),
    ]
    async with held_up(elsewhere, people.merchants[0]) as tasks:
        first = tasks.create_task(here.run(*map(asked, opening), asked(pay(usd(60)))))
        await waiting(postgres)
        second = tasks.create_task(here.run(asked(pay(eur(1)))))
        await a_moment()
        assert here.decided == 1
    assert outcomes(first)[-1] is PaymentResult
    assert outcomes(second) == [InsufficientFunds], "there is an account, with nothing on it"


async def test_whoever_pays_beside_an_account_that_is_opened_is_remembered(here: Process, people: People) -> None:
    await here.run(asked(OpenAccount(key=AccountKey(user_id(1), EUR, AccountKind.CUSTOMER))), asked(pay(usd(60))))
    with counting() as counted:
        [paid] = await here.once(asked(pay(usd(40))))
    assert isinstance(paid.outcome, PaymentResult)
    assert counted == {"statements": 1, "BEGIN": 0, "COMMIT": 0}
    assert await here.available(people.customers[0], people.merchants[0]) == [0, 200]


async def test_a_batch_that_locks_is_waited_for(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    [held] = await here.run(asked(held_payment(60)))
    capture = CapturePayment(payment_id=held.outcome.payment.id, merchant_id=user_id(2), amount_minor=10)
    async with held_up(elsewhere, people.merchants[0]) as tasks:
        first = tasks.create_task(here.run(asked(capture)))
        await waiting(postgres)
        second = tasks.create_task(here.run(asked(pay(usd(90)))))
        await a_moment()
        assert here.decided == 1
    assert outcomes(first, second) == [PaymentResult, PaymentResult]
    assert here.decided == 3
    assert await here.available(people.customers[0], people.merchants[0]) == [0, 200]


async def test_a_batch_that_locks_waits_for_the_one_before(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    [held] = await here.run(asked(held_payment(60)))
    capture = CapturePayment(payment_id=held.outcome.payment.id, merchant_id=user_id(2), amount_minor=10)
    async with held_up(elsewhere, people.merchants[0]) as tasks:
        first = tasks.create_task(here.run(asked(pay(usd(40)))))
        await waiting(postgres)
        with counting() as counted:
            second = tasks.create_task(here.run(asked(capture)))
            await a_moment()
        assert counted == {"statements": 0, "BEGIN": 0, "COMMIT": 0}
    assert outcomes(first, second) == [PaymentResult, PaymentResult]
    assert here.decided == 3
    assert await here.available(people.customers[0], people.merchants[0]) == [50, 150]


# Whoever gives up in the middle.


async def test_one_who_gives_up_waiting_for_a_turn_holds_up_nobody(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    [held] = await here.run(asked(held_payment(10)))
    capture = CapturePayment(payment_id=held.outcome.payment.id, merchant_id=user_id(2))
    async with held_up(elsewhere, people.merchants[0]) as tasks:
        first = tasks.create_task(here.run(asked(capture)))
        await waiting(postgres)
        second = tasks.create_task(here.run(asked(pay(usd(20)))))
        third = tasks.create_task(here.run(asked(pay(usd(40)))))
        await a_moment()
        await given_up(second)
    assert outcomes(first, third) == [PaymentResult, PaymentResult]
    assert here.decided == 3
    await goes_on(here, people)
    assert await here.available(people.customers[0], people.merchants[0]) == [50, 151]


async def test_one_who_gives_up_while_loading_holds_up_nobody(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    [held] = await here.run(asked(held_payment(10)))
    capture = CapturePayment(payment_id=held.outcome.payment.id, merchant_id=user_id(2))
    async with held_up(elsewhere, people.merchants[0]) as tasks:
        first = tasks.create_task(here.run(asked(capture)))
        await waiting(postgres)
        second = tasks.create_task(here.run(asked(pay(usd(20), customer=3, merchant=4))))
        await given_up(first)
        await asyncio.wait([second])
    assert outcomes(second) == [PaymentResult]
    await goes_on(here, people)
    assert await here.available(people.customers[0], people.merchants[0]) == [90, 101]


@pytest.mark.parametrize("waits", ["decided", "for an answer"])
async def test_one_who_gives_up_waiting_for_the_one_before_takes_nobody_along(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction, waits: str
) -> None:
    before = asked(pay(usd(60)))
    async with held_up(elsewhere, people.merchants[0]) as tasks:
        first = tasks.create_task(here.run(before))
        await waiting(postgres)
        with counting() as counted:
            second = tasks.create_task(here.run(asked(pay(usd(20))) if waits == "decided" else before))
            await a_moment()
            assert here.decided == (2 if waits == "decided" else 1)
            await given_up(second)
            third = tasks.create_task(here.run(asked(pay(usd(40)))))
            await a_moment()
            assert not third.done()
        assert counted["statements"] <= 1, "what the third one reads"
    assert outcomes(first, third) == [PaymentResult, PaymentResult]
    assert await here.available(people.customers[0], people.merchants[0]) == [0, 200]
    await goes_on(here, people)


async def test_one_who_gives_up_while_it_is_written_is_written_and_the_next_one_finds_it(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    async with held_up(elsewhere, people.merchants[0]) as tasks:
        first = tasks.create_task(here.run(asked(pay(usd(60)))))
        await waiting(postgres)
        second = tasks.create_task(here.run(asked(pay(usd(60))), asked(pay(usd(40)))))
        await here.has_decided(2)
        first.cancel()
        await a_moment()
        assert not first.done(), "half a commit is no state"
    assert first.cancelled()
    assert outcomes(second) == [InsufficientFunds, PaymentResult]
    assert await here.available(people.customers[0], people.merchants[0]) == [0, 200]
    await goes_on(here, people)


async def test_when_all_give_up_at_once_what_was_being_written_is_and_nothing_else(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    async with held_up(elsewhere, people.merchants[0]) as tasks:
        first = tasks.create_task(here.run(asked(pay(usd(60)))))
        await waiting(postgres)
        others = [tasks.create_task(here.run(asked(pay(usd(20))))) for _ in range(2)]
        await here.has_decided(2)
        for each in (first, *others):
            each.cancel()
        await asyncio.wait(others)
    assert all(each.cancelled() for each in (first, *others))
    assert await here.available(people.customers[0], people.merchants[0]) == [40, 160]
    await goes_on(here, people)


# Only so much is remembered, and only some of it.


async def test_a_batch_that_memory_has_no_room_for_is_waited_for(
    postgres_url: str, elsewhere: Process, postgres: DatabaseTransaction
) -> None:
    async with open_sql_storage(postgres_url, replace(PATIENT, cached_max=3)) as storage:
        here = Process(storage)
        people = await populated(here)
        await here.run(asked(pay(usd(10))))
        here.decided = 0
        two = asked(pay(usd(10))), asked(pay(usd(10), customer=3, merchant=4))
        async with held_up(elsewhere, people.merchants[0]) as tasks:
            tasks.create_task(here.run(*two))
            await waiting(postgres)
            second = tasks.create_task(here.run(asked(pay(usd(81))), asked(pay(usd(80)))))
            await a_moment()
            assert here.decided == 1
        assert outcomes(second) == [InsufficientFunds, PaymentResult]
        assert here.decided == 2, "what was remembered of the first pair is out of date, and forgotten"
        assert storage.scheduling() is Scheduling.PIPELINED
        assert await here.available(*people.customers) == [0, 90, 100]


@pytest.mark.parametrize("cached_max", [0, 1, 2, 3, 5])
async def test_however_little_is_remembered_all_comes_out_right(postgres_url: str, cached_max: int) -> None:
    async with open_sql_storage(postgres_url, replace(PATIENT, cached_max=cached_max)) as storage:
        here = Process(storage)
        people = await populated(here)
        pairs = [(1, 2), (3, 4), (5, 6)]
        orders = [pay(usd(12), customer=customer, merchant=merchant) for customer, merchant in pairs * 9]
        answers = await asyncio.gather(*(here.run(asked(order)) for order in orders))
        assert [type(answer.outcome) for [answer] in answers].count(PaymentResult) == 3 * 8
        assert await here.available(*people.customers, *people.merchants) == [4] * 3 + [196] * 3
        scheduling = Scheduling.PIPELINED if cached_max else Scheduling.SEQUENTIAL
        assert storage.scheduling() is scheduling, "it was never overtaken, and least by itself"
        async with storage.audit() as audit:
            assert (await verify(audit)).named == []


async def test_what_is_not_known_is_read_beside_what_is(postgres_url: str, here: Process, people: People) -> None:
    await here.run(asked(pay(usd(10))))
    async with open_sql_storage(postgres_url, PATIENT) as storage:
        third = Process(storage)
        await third.run(asked(deposit(usd(10), to=people.customers[0])))
        wanted = Wanted(
            account_keys=[
                AccountKey(user_id(1), USD, AccountKind.CUSTOMER),
                AccountKey(user_id(2), USD, AccountKind.MERCHANT),
            ],
            account_ids=[people.customers[1]],
            may_be_cached=True,
        )
        async with storage.unit_of_work() as work:
            records = await work.load(wanted)
        assert records.are_cached
        assert {account.id: account.available for account in records.accounts} == {
            people.customers[0]: 100,
            people.merchants[0]: 110,
            people.customers[1]: 100,
        }
        with counting() as counted:
            [paid] = await third.once(asked(pay(usd(100))))
        assert isinstance(paid.outcome, PaymentResult)
        assert counted == {"statements": 2, "BEGIN": 0, "COMMIT": 0}  # the merchant's account; all that is written
        with counting() as counted:
            [refused] = await third.once(asked(pay(usd(1))))
        assert isinstance(refused.outcome, InsufficientFunds)
        assert counted == {"statements": 1, "BEGIN": 0, "COMMIT": 0}


async def test_who_has_an_account_in_another_currency_is_found_beside_what_is_known(
    here: Process, people: People
) -> None:
    [refused] = await here.once(asked(pay(eur(1))))
    assert isinstance(refused.outcome, CurrencyMismatch)
    [mixed, paid] = await here.once(asked(pay(eur(1))), asked(pay(usd(1))))
    assert isinstance(mixed.outcome, CurrencyMismatch)
    assert isinstance(paid.outcome, PaymentResult)
    assert await here.available(people.merchants[0]) == [101]


@pytest.mark.parametrize("fees_are_known", [True, False])
async def test_fees_are_charged_whether_or_not_their_account_is_known(
    here: Process, elsewhere: Process, people: People, *, fees_are_known: bool
) -> None:
    for merchant in (user_id(2), user_id(4)):
        await here.run(asked(SetFees(merchant_id=merchant, currency=USD, fees=FeeSchedule(0, 3))))
    if fees_are_known:
        await here.run(asked(pay(usd(10), customer=3, merchant=4)))
    with counting() as counted:
        await here.once(asked(pay(usd(10))))
    assert counted["statements"] == (1 if fees_are_known else 2)
    with counting() as counted:
        await here.once(asked(pay(usd(10))))
    assert counted["statements"] == 1
    fees = await elsewhere_reads(elsewhere, system_account(AccountKind.FEES, USD))
    assert fees == (9 if fees_are_known else 6)
    assert await here.available(people.merchants[0]) == [114]


async def test_a_key_that_was_answered_elsewhere_is_found_though_the_account_for_fees_is_known(
    postgres_url: str, here: Process, people: People
) -> None:
    for merchant in (user_id(2), user_id(4)):
        await here.run(asked(SetFees(merchant_id=merchant, currency=USD, fees=FeeSchedule(0, 3))))
    paid = asked(pay(usd(10)))
    [there] = await here.run(paid)
    async with open_sql_storage(postgres_url, PATIENT) as storage:
        third = Process(storage)
        await third.run(asked(pay(usd(10), customer=3, merchant=4)))
        [again] = await third.once(paid)
        assert again.body == there.body
        assert third.decided == 2
    assert await here.available(people.customers[0], people.merchants[0]) == [90, 107]


# All of it at once.


async def test_two_processes_with_two_batches_under_way_each_keep_the_ledger_right(
    here: Process, people: People, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand payments, some asked for twice or at both, some that nobody can pay, on connections that break."""
    # They overtake each other all the time, and would do nothing but lock.
    monkeypatch.setattr(contention, "LOCKING_SECONDS_MAX", 0.01)
    monkeypatch.setattr(contention, "LOCKING_SECONDS_MIN", 0.01)
    chance = Random(11)  # noqa: S311 - the same every time.
    orders = [
        pay(usd(chance.randint(1, 9)), customer=chance.choice((1, 3, 5)), merchant=chance.choice((2, 4, 6)))
        for _ in range(1000)
    ]
    for account in people.customers:
        await here.run(asked(deposit(usd(1400), to=account)))
    submissions = [asked(order) for order in orders]
    bodies: dict[AnswerKey, set[bytes]] = {each.key: set() for each in submissions}

    async def break_some(send: Send) -> Any:
        when = chance.choice(("before", "after", *[None] * 40))
        if when == "before":
            raise ConnectionResetError("Nothing was sent.")
        found = await send()
        if when == "after":
            raise ConnectionResetError("The answer of Postgres is lost.")
        return found

    async def keep_asking(executor: GroupCommit, mine: Iterator[Submission]) -> None:
        for submission in mine:
            bodies[submission.key].add((await executor.perform(submission)).body)

    async with open_sql_storage(postgres_url, PATIENT) as storage:
        executors = [each.executor() for each in (here, Process(storage))]
        asks = [[*submissions[start::2], *chance.sample(submissions, 100)] for start in range(len(executors))]
        with between(break_some):
            await asyncio.gather(
                *(
                    keep_asking(executor, mine)
                    for executor, ask in zip(executors, asks, strict=True)
                    for mine in [iter(ask)] * 48
                )
            )
            for executor in executors:
                await executor.close()

    assert all(len(told) == 1 for told in bodies.values()), "a key has one answer"
    told = [decode(body, PaymentResult) for bodies_of_one in bodies.values() for body in bodies_of_one]
    paid = [each.payment for each in told if isinstance(each, PaymentResult)]
    assert 500 < len(paid) < 1000
    assert {type(each) for each in told} == {PaymentResult, InsufficientFunds}
    assert len({payment.id for payment in paid}) == len(paid)
    for payment in paid:
        assert await here.storage.reader.payment(payment.id) == payment
    spent, earned = Counter[str](), Counter[str]()
    for payment in paid:
        spent[str(payment.customer_id)] += payment.amount.amount_minor
        earned[payment.merchant_id] += payment.amount.amount_minor
    assert await here.available(*people.customers) == [1500 - spent[user_id(number)] for number in (1, 3, 5)]
    assert await here.available(*people.merchants) == [100 + earned[user_id(number)] for number in (2, 4, 6)]
    async with here.storage.audit() as audit:
        findings = await verify(audit)
    assert findings.named == []
    assert findings.read["transactions"] == len(paid) + 6 + 3, "each payment once, and the deposits"


# What the tests are made of.


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
