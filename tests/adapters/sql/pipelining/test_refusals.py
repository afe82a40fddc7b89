"""Pipelined batches: a refusal by cached accounts is checked before anybody gets it."""

from gateway import FreezeAccount, UnfreezeAccount
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.application.commands.shared.payments import PaymentResult
from gateway.domain.errors import AccountFrozen, InsufficientFunds
from support.builders import deposit, pay, usd
from support.pipelining import People, Process, a_moment, asked, held_up, outcomes, waiting
from support.statements import counting


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
