"""Pipelined batches: the next batch is decided while one commits, and is committed only after it."""

import asyncio
from dataclasses import replace

import pytest

from gateway.adapters.sql import contention
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.application.commands.shared.payments import PaymentResult
from gateway.application.ports.storage import Scheduling
from gateway.application.ports.unit_of_work import Conflict, KeyTaken, TryAgain
from gateway.domain.errors import InsufficientFunds
from support.builders import deposit, pay, usd
from support.pipelining import (
    STOP,
    People,
    Process,
    a_moment,
    asked,
    held_up,
    one_after_the_other,
    outcomes,
    waiting,
)
from support.statements import counting, hearing, losing_one_answer


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
    here: Process,
    elsewhere: Process,
    people: People,
    postgres: DatabaseTransaction,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(contention, "LOCKING_SECONDS_MIN", 60.0)  # However slow the machine is, it is not over yet.
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
