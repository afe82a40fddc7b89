"""Batches that meet locks of other transactions: who waits, and who does not."""

import asyncio
from dataclasses import replace

import pytest

from gateway.adapters.sql import open_sql_storage
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.application.commands.shared.payments import PaymentResult
from gateway.application.engine.submission import Answer
from gateway.application.ports.busy import StorageBusy
from gateway.application.ports.unit_of_work import KeyBusy
from support.builders import pay, usd
from support.pipelining import PATIENT, People, Process, asked, held_key, held_up, outcomes, waiting

LOCK_SECONDS = 2.0


async def test_an_account_that_is_held_fails_its_payments_and_nobody_elses(
    elsewhere: Process, people: People, postgres_url: str
) -> None:
    async with open_sql_storage(postgres_url, replace(PATIENT, lock_timeout_seconds=LOCK_SECONDS)) as storage:
        third = Process(storage)
        # Both customers' accounts are cached from here on.
        await third.run(asked(pay(usd(1))), asked(pay(usd(1), customer=3, merchant=4)))
        executor = third.executor_that_retries_once(lock_seconds_max=LOCK_SECONDS)
        async with held_up(elsewhere, people.customers[0]):
            first = [executor.submit(asked(pay(usd(10)))), executor.submit(asked(pay(usd(10), customer=3, merchant=4)))]
            second = executor.submit(asked(pay(usd(10), customer=3, merchant=4)))
            held, *others = await asyncio.gather(*first, second, return_exceptions=True)
            # While the account is known to be held, its payments hold up no batch.
            again = executor.submit(asked(pay(usd(10))))
            beside = await executor.submit(asked(pay(usd(10), customer=3, merchant=4)))
            assert not again.done()
        assert type((await again).outcome) is PaymentResult
        await executor.close()
        assert await third.available(*people.customers[:2]) == [89, 69]
    assert type(held) is StorageBusy
    assert [type(each.outcome) for each in (*others, beside) if isinstance(each, Answer)] == [PaymentResult] * 3


async def test_what_waits_for_a_key_beside_the_others_holds_no_account(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction, postgres_url: str
) -> None:
    busy = asked(pay(usd(10)))
    async with asyncio.TaskGroup() as tasks, held_key(postgres_url, busy):
        waits = tasks.create_task(here.waiting(busy, asked(pay(usd(10)))))
        await waiting(postgres)
        [paid] = await elsewhere.run(asked(pay(usd(20))))
        assert type(paid.outcome) is PaymentResult
        assert not waits.done()
    assert outcomes(waits) == [PaymentResult] * 2
    assert await here.available(people.customers[0], people.merchants[0]) == [60, 140]


async def test_a_key_that_was_answered_meanwhile_is_replayed_to_whom_waits(
    here: Process, elsewhere: Process, people: People
) -> None:
    the_same = asked(pay(usd(10)))
    [paid] = await elsewhere.run(the_same)
    [again] = await here.waiting(the_same)
    assert (again.replayed, again.body) == (True, paid.body)
    assert await here.available(people.customers[0]) == [90]


async def test_a_batch_beside_others_says_that_a_key_is_busy_and_logs_no_error(
    people: People, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    busy = asked(pay(usd(10)))
    async with (
        open_sql_storage(postgres_url, replace(PATIENT, lock_timeout_seconds=LOCK_SECONDS)) as storage,
        held_key(postgres_url, busy),
    ):
        third = Process(storage)
        failed = await third.beside(busy)
        assert await third.available(people.customers[0]) == [100]
    assert isinstance(failed.error, KeyBusy)
    assert caplog.records == []
