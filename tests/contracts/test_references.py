"""What a reference means, on every storage: whose name it is, and when it is free again."""

import asyncio
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from gateway import CancelPayment, ConfirmPayment, ExpirePayment, Pay, PaymentResult, RequestPayment
from gateway.application.engine.command import Command
from gateway.application.engine.executor import isolating
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.engine.submission import Answer, Submission
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Wanted
from gateway.application.verification.verify import verify
from gateway.contracts.records import user_id
from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.errors import DuplicateReference, InsufficientFunds, Refusal
from gateway.domain.money import Money, currency_code
from gateway.domain.payment import CaptureMethod, Payment
from gateway.domain.payment_terms import PaymentOrder, PaymentRequest
from support.builders import (
    CUSTOMER,
    MERCHANT,
    StandingClock,
    a_batch,
    deposit,
    opened,
    pay,
    register,
    submit,
    usd,
)

STRANGER = 3
DAY = timedelta(days=1)
_numbers = count()


def with_fresh_key(command: Command[Any]) -> Submission:
    """A command under a key that nobody has used."""
    return submit(command, f"key-{next(_numbers)}")


class Shop:
    """A merchant, a customer with 100 cents and a stranger without any, on a storage."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.clock = StandingClock()
        self.run = isolating(retrying(a_batch(storage, self.clock).run, RetryLimits()))

    async def ask(self, *commands: Command[Any]) -> list[object]:
        """The outcomes of commands that are decided in one batch."""
        answers = await self.run([with_fresh_key(command) for command in commands])
        return [answer.outcome if isinstance(answer, Answer) else answer for answer in answers]

    async def paid(self, command: Pay) -> Payment:
        [outcome] = await self.ask(command)
        assert isinstance(outcome, PaymentResult), outcome
        return outcome.payment

    async def requested(self, amount: Money, reference: str) -> Payment:
        request = PaymentRequest(merchant_id=MERCHANT, amount=amount, reference=reference, metadata={})
        [outcome] = await self.ask(RequestPayment(request=request))
        assert isinstance(outcome, Payment), outcome
        return outcome

    async def refused(self, command: Command[Any]) -> type[Refusal]:
        [outcome] = await self.ask(command)
        assert isinstance(outcome, Refusal), outcome
        return type(outcome)


@pytest.fixture
async def shop(storage: Storage) -> Shop:
    await opened(storage)
    shop = Shop(storage)
    await shop.ask(register(STRANGER))
    return shop


def held(amount: Money, reference: str) -> Pay:
    order = PaymentOrder(
        customer_id=CUSTOMER,
        merchant_id=MERCHANT,
        amount=amount,
        reference=reference,
        metadata={},
        capture=CaptureMethod.MANUAL,
    )
    return Pay(order=order)


async def test_an_order_that_lacked_funds_is_paid_under_its_name_once_there_are_some(shop: Shop) -> None:
    assert await shop.refused(pay(usd(101), reference="order-1")) is InsufficientFunds
    await shop.ask(deposit(usd(1)))
    await shop.paid(pay(usd(101), reference="order-1"))
    assert await shop.refused(pay(usd(1), reference="order-1")) is DuplicateReference


async def test_nobody_uses_up_the_names_of_others(shop: Shop) -> None:
    assert await shop.refused(pay(usd(1), reference="order-1", customer=STRANGER)) is InsufficientFunds
    request = await shop.requested(usd(5), "order-1")
    await shop.paid(pay(usd(2), reference="order-1"))
    [confirmed] = await shop.ask(ConfirmPayment(payment_id=request.id, customer_id=CUSTOMER))
    assert isinstance(confirmed, PaymentResult), confirmed
    assert confirmed.payment.reference_held_by == MERCHANT
    again = PaymentRequest(merchant_id=MERCHANT, amount=usd(5), reference="order-1", metadata={})
    assert await shop.refused(RequestPayment(request=again)) is DuplicateReference


async def test_two_customers_of_a_merchant_may_choose_the_same_name(shop: Shop) -> None:
    stranger = AccountKey(user_id(STRANGER), currency_code("USD"), AccountKind.CUSTOMER)
    async with shop.storage.unit_of_work() as work:
        [account] = (await work.load(Wanted(account_keys=[stranger]))).accounts
    await shop.ask(deposit(usd(5), to=account.id))
    first = await shop.paid(pay(usd(60), reference="order-1"))
    second = await shop.paid(pay(usd(1), reference="order-1", customer=STRANGER))
    assert (first.reference_held_by, second.reference_held_by) == (CUSTOMER, user_id(STRANGER))


async def test_a_payment_that_is_canceled_or_expires_gives_its_name_back(shop: Shop) -> None:
    canceled = await shop.paid(held(usd(5), "order-1"))
    request = await shop.requested(usd(5), "order-1")
    await shop.ask(CancelPayment(payment_id=canceled.id, by=MERCHANT))
    await shop.ask(CancelPayment(payment_id=request.id, by=MERCHANT))
    expired = await shop.paid(held(usd(5), "order-1"))
    late = await shop.requested(usd(5), "order-1")
    shop.clock.now += 30 * DAY
    await shop.ask(ExpirePayment(payment_id=expired.id), ExpirePayment(payment_id=late.id))
    await shop.paid(pay(usd(5), reference="order-1"))
    await shop.requested(usd(5), "order-1")
    assert await shop.refused(pay(usd(5), reference="order-1")) is DuplicateReference


async def test_a_name_that_is_given_back_and_taken_in_one_batch_is_the_later_ones(shop: Shop) -> None:
    first = await shop.paid(held(usd(5), "order-1"))
    _, outcome, refusal = await shop.ask(
        CancelPayment(payment_id=first.id, by=MERCHANT),
        pay(usd(5), reference="order-1"),
        pay(usd(6), reference="order-1"),
    )
    assert isinstance(outcome, PaymentResult), outcome
    assert isinstance(refusal, DuplicateReference)
    async with shop.storage.audit() as audit:
        assert (await verify(audit)).ok


async def test_of_many_who_race_for_a_name_one_gets_it(shop: Shop) -> None:
    runs = [retrying(a_batch(shop.storage, shop.clock).run, RetryLimits()) for _ in range(8)]
    answers = await asyncio.gather(*(run([with_fresh_key(pay(usd(1), reference="order-1"))]) for run in runs))
    outcomes = [type(answer.outcome) for [answer] in answers if isinstance(answer, Answer)]
    assert sorted(kind.__name__ for kind in outcomes) == ["DuplicateReference"] * 7 + ["PaymentResult"]
