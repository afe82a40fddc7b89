"""Pipelined batches: what the next batch waits for, and that a cancelled batch holds up nobody."""

import asyncio

import pytest

from gateway import CapturePayment, OpenAccount
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.application.commands.shared.accounts import keys_to_open
from gateway.application.commands.shared.payments import PaymentResult
from gateway.application.ports.unit_of_work import Needs
from gateway.contracts.records import EUR, user_id
from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.errors import InsufficientFunds
from gateway.domain.immutable import immutable
from support.builders import eur, pay, usd
from support.pipelining import (
    People,
    Process,
    a_moment,
    asked,
    given_up,
    goes_on,
    held_payment,
    held_up,
    outcomes,
    waiting,
)
from support.statements import counting


@immutable
class OpenForAnybody(OpenAccount):
    """Opens an account without a look at its owner, whom `OpenAccount` locks: its batch does not lock."""

    def needs(self) -> Needs:
        return Needs(account_keys=keys_to_open(self.key))


async def test_an_account_that_is_opened_is_waited_for(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    opening = [
        OpenForAnybody(key=AccountKey(user_id(1), EUR, AccountKind.CUSTOMER)),
        OpenForAnybody(key=AccountKey(user_id(2), EUR, AccountKind.MERCHANT)),
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
    opening = OpenForAnybody(key=AccountKey(user_id(1), EUR, AccountKind.CUSTOMER))
    await here.run(asked(opening), asked(pay(usd(60))))
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
            third = tasks.create_task(here.run(asked(pay(usd(39)))))
            await a_moment()
            assert not third.done()
        assert counted["statements"] <= 1, "what the third one reads"
    assert outcomes(first, third) == [PaymentResult, PaymentResult]
    assert await here.available(people.customers[0], people.merchants[0]) == [1, 199]
    await goes_on(here, people)


async def test_one_who_gives_up_while_it_is_written_is_rolled_back_and_the_next_one_is_decided_again(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    async with held_up(elsewhere, people.merchants[0]) as tasks:
        first = tasks.create_task(here.run(asked(pay(usd(60)))))
        await waiting(postgres)
        second = tasks.create_task(here.run(asked(pay(usd(60))), asked(pay(usd(39)))))
        await here.has_decided(2)
        await given_up(first)
    assert outcomes(second) == [PaymentResult, PaymentResult]
    assert await here.available(people.customers[0], people.merchants[0]) == [1, 199]
    await goes_on(here, people)


async def test_when_all_give_up_at_once_nothing_is_written(
    here: Process, elsewhere: Process, people: People, postgres: DatabaseTransaction
) -> None:
    async with held_up(elsewhere, people.merchants[0]) as tasks:
        first = tasks.create_task(here.run(asked(pay(usd(60)))))
        await waiting(postgres)
        others = [tasks.create_task(here.run(asked(pay(usd(20))))) for _ in range(2)]
        await here.has_decided(2)
        for each in (first, *others):
            each.cancel()
        await asyncio.wait([first, *others])
    assert all(each.cancelled() for each in (first, *others))
    assert await here.available(people.customers[0], people.merchants[0]) == [100, 100]
    await goes_on(here, people)
