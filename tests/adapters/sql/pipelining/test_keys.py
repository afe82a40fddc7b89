"""Pipelined batches: a key that the previous batch, or another process, answers is answered once."""

import asyncio
from dataclasses import replace

from gateway import FreezeAccount
from gateway.adapters.sql import open_sql_storage
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.application.commands.shared.payments import PaymentResult
from gateway.application.ports.unit_of_work import TryAgain
from gateway.domain.errors import IdempotencyInProgress
from support.builders import deposit, pay, usd
from support.pipelining import (
    PATIENT,
    STOP,
    People,
    Process,
    a_moment,
    asked,
    failure,
    held_key,
    held_up,
    outcomes,
    waiting,
)
from support.statements import counting


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


async def test_a_key_that_another_process_holds_makes_the_next_batch_wait_for_one_lock_timeout(
    people: People, postgres: DatabaseTransaction, postgres_url: str
) -> None:
    """The busy key waits for a second lock timeout, to be refused alone. The next batch must not wait with it."""
    async with open_sql_storage(postgres_url, replace(PATIENT, lock_timeout_seconds=1)) as storage:
        third = Process(storage)
        # Both customers' accounts are cached from here on.
        await third.run(asked(pay(usd(1))), asked(pay(usd(1), customer=3, merchant=4)))
        busy = asked(pay(usd(10)))
        async with held_key(postgres_url, busy):
            executor = third.executor_that_retries_once()
            first = [executor.submit(each) for each in (busy, asked(pay(usd(10))))]
            await waiting(postgres)
            second = [executor.submit(asked(pay(usd(10), customer=3, merchant=4))) for _ in range(2)]
            refused, paid, *others = await asyncio.gather(*first, *second)
            await executor.close()
            assert await third.available(*people.customers[:2]) == [89, 79]
    assert isinstance(refused.outcome, IdempotencyInProgress)
    assert [type(answer.outcome) for answer in (paid, *others)] == [PaymentResult] * 3
