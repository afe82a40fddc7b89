"""Pipelined batches: accounts that are not cached are read beside cached ones."""

import asyncio
from dataclasses import replace

import pytest

from gateway import SetFees
from gateway.adapters.sql import open_sql_storage
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.application.commands.shared.payments import PaymentResult
from gateway.application.ports.storage import Scheduling
from gateway.application.ports.unit_of_work import Wanted
from gateway.application.verification.verify import verify
from gateway.contracts.records import USD, user_id
from gateway.domain.account import AccountKey, AccountKind, system_account
from gateway.domain.errors import CurrencyMismatch, InsufficientFunds
from gateway.domain.fees import FeeSchedule
from support.builders import deposit, eur, pay, usd
from support.pipelining import (
    PATIENT,
    People,
    Process,
    a_moment,
    asked,
    elsewhere_reads,
    held_up,
    outcomes,
    populated,
    waiting,
)
from support.statements import counting


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
