"""Rules of risk on every storage: no payments together exceed a limit, by any operation."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from gateway import (
    ApprovePayment,
    ConfirmPayment,
    DeclinePayment,
    ExpirePayment,
    FeeSchedule,
    MakeDeposit,
    MakeQuote,
    OpenAccount,
    Pay,
    PaymentOrder,
    PaymentRequest,
    RequestPayment,
    SetFees,
)
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.engine.risk import Risk
from gateway.application.engine.submission import Answer
from gateway.application.ports.storage import Storage
from gateway.application.verification.verify import verify
from gateway.contracts.records import EUR, NOW, USD, a_rate
from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.money import Money
from gateway.domain.payment import CaptureMethod
from gateway.domain.payment_status import PaymentStatus
from gateway.ports import RiskRules, Wanted
from gateway.refusals import InsufficientFunds, LimitExceeded, PaymentExpired, PaymentStateInvalid
from support.builders import (
    CUSTOMER,
    MERCHANT,
    StandingClock,
    a_batch,
    a_bulk_submission,
    balances,
    opened,
    pay,
    refusing,
    reviewing,
    submit,
    usd,
)

BALANCE = 1_000


class Scene:
    """A customer with ten dollars, a merchant, and gateways with one storage."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.clock = StandingClock()

    def executor(self, risk: Risk, *, grouped: bool = True) -> CommandExecutor:
        run = retrying(a_batch(self.storage, self.clock, risk).run, RetryLimits(attempts_max=50))
        submissions = GroupCommit(run, GroupLimits(), scheduling=self.storage.scheduling) if grouped else OneByOne(run)
        return CommandExecutor(submissions, time_ordered_id)


@pytest.fixture
async def scene(storage: Storage) -> AsyncIterator[Scene]:
    """The books are checked in the end."""
    await opened(storage, balance=BALANCE)
    yield Scene(storage)
    async with storage.audit() as audit:
        assert (await verify(audit)).named == []


@pytest.mark.parametrize("grouped", [True, False], ids=["grouped", "one by one"])
async def test_concurrent_payments_never_exceed_a_limit_together(scene: Scene, *, grouped: bool) -> None:
    executor = scene.executor(refusing("sum.USD.1h=95", "count.1d=7"), grouped=grouped)
    outcomes = await asyncio.gather(*(executor.execute(pay(usd(10))) for _ in range(20)), return_exceptions=True)
    refused = [each for each in outcomes if isinstance(each, LimitExceeded)]
    assert len(refused) == 13
    assert len([each for each in outcomes if isinstance(each, BaseException)]) == 13
    assert await balances(scene.storage) == (BALANCE - 70, 70)


async def test_a_refused_payment_is_told_which_rule_and_when_to_try_again(scene: Scene) -> None:
    executor = scene.executor(refusing("sum.USD.1h=100"))
    await executor.execute(pay(usd(60)))
    scene.clock.advance(600)
    await executor.execute(pay(usd(30)))
    with pytest.raises(LimitExceeded) as first:
        await executor.execute(pay(usd(50)), idempotency_key="order-1")
    assert first.value.facts["rule"] == "sum.USD.1h"
    seconds = first.value.facts["retry_after_seconds"]
    assert 3_000 < seconds <= 3_060
    scene.clock.advance(seconds - 61)
    with pytest.raises(LimitExceeded):
        await executor.execute(pay(usd(50)), idempotency_key="order-1")
    scene.clock.advance(61)
    # The refusal is not stored: the same key may be sent again.
    paid = await executor.execute(pay(usd(50)), idempotency_key="order-1")
    assert paid.payment.status is PaymentStatus.CAPTURED
    with pytest.raises(LimitExceeded) as never:
        await executor.execute(pay(usd(101)))
    assert never.value.facts == {"rule": "sum.USD.1h"}


async def test_only_payments_that_are_committed_count(scene: Scene) -> None:
    executor = scene.executor(refusing("count.1h=2"))
    for _ in range(3):
        with pytest.raises(InsufficientFunds):
            await executor.execute(pay(usd(BALANCE + 1)))
    await executor.execute(pay(usd(1)), idempotency_key="order-1")
    for _ in range(3):
        await executor.execute(pay(usd(1)), idempotency_key="order-1")
    await executor.execute(pay(usd(1)))
    with pytest.raises(LimitExceeded):
        await executor.execute(pay(usd(1)))


async def test_a_confirmation_is_asked_about_and_the_request_stays_open(scene: Scene) -> None:
    executor = scene.executor(refusing("count.1h=1"))
    request = RequestPayment(request=PaymentRequest(merchant_id=MERCHANT, amount=usd(40)))
    asked = [await executor.execute(request) for _ in range(2)]
    await executor.execute(ConfirmPayment(payment_id=asked[0].id, customer_id=CUSTOMER))
    late = ConfirmPayment(payment_id=asked[1].id, customer_id=CUSTOMER)
    with pytest.raises(LimitExceeded):
        await executor.execute(late)
    assert await scene.storage.reader.payment(asked[1].id) == asked[1]
    scene.clock.advance(3_661)
    assert (await executor.execute(late)).payment.status is PaymentStatus.CAPTURED


async def test_payments_in_every_currency_count_together_and_sums_in_what_is_paid(scene: Scene) -> None:
    executor = scene.executor(refusing("count.1h=3", "sum.EUR.1h=100"))
    euros = await executor.execute(OpenAccount(key=AccountKey(CUSTOMER, EUR, AccountKind.CUSTOMER)))
    await executor.execute(MakeDeposit(account_id=euros.id, amount=Money(10_000, EUR), owner_id=None))
    rate = a_rate(EUR, USD)

    async def paid_across(amount: int) -> int:
        quote = await executor.execute(MakeQuote(customer_id=CUSTOMER, pair=rate.pair, amount=usd(amount), rate=rate))
        order = PaymentOrder(customer_id=CUSTOMER, merchant_id=MERCHANT, amount=usd(amount), quote_id=quote.id)
        await executor.execute(Pay(order=order))
        source: int = quote.source.amount_minor
        return source

    source = await paid_across(60)
    wanted = Wanted(account_keys=[AccountKey(CUSTOMER, EUR, AccountKind.CUSTOMER)], counts_payments=True)
    async with scene.storage.unit_of_work() as work:
        [counters] = (await work.load(wanted)).payment_counters
    assert counters.sum_minor(timedelta(hours=1), EUR, NOW) == source
    assert counters.sum_minor(timedelta(hours=1), USD, NOW) == 0
    with pytest.raises(LimitExceeded) as refused:
        await paid_across(60 * 100 // source)
    assert refused.value.facts["rule"] == "sum.EUR.1h"
    for _ in range(2):
        await executor.execute(pay(usd(1)))
    with pytest.raises(LimitExceeded) as refused:
        await executor.execute(pay(usd(1)))
    assert refused.value.facts["rule"] == "count.1h"


@pytest.mark.parametrize("atomic", [False, True])
async def test_the_items_of_a_batch_count_one_after_another(scene: Scene, *, atomic: bool) -> None:
    parts = [submit(pay(usd(10)), f"item-{number}") for number in range(5)]
    batch = a_batch(scene.storage, scene.clock, refusing("count.1h=3"))
    await batch.run([a_bulk_submission(*parts, atomic=atomic)])
    made = 0 if atomic else 3
    assert await balances(scene.storage) == (BALANCE - 10 * made, 10 * made)
    # Of a batch that was aborted nothing counts.
    later = await batch.run([submit(pay(usd(1)), f"later-{number}") for number in range(4)])
    assert [isinstance(each, Answer) and each.refused for each in later] == [n >= 3 - made for n in range(4)]


async def test_without_windows_nothing_is_counted(scene: Scene) -> None:
    executor = scene.executor(refusing("amount.customer.USD=50", "balance_share=20"))
    await executor.execute(pay(usd(50)))
    for amount in (51, 191):
        with pytest.raises(LimitExceeded):
            await executor.execute(pay(usd(amount)))
    key = AccountKey(CUSTOMER, USD, AccountKind.CUSTOMER)
    async with scene.storage.unit_of_work() as work:
        assert list((await work.load(Wanted(account_keys=[key], counts_payments=True))).payment_counters) == []


@pytest.mark.parametrize("capture", CaptureMethod)
async def test_a_payment_waits_for_its_review_until_it_is_decided_or_its_time_is_over(
    scene: Scene, capture: CaptureMethod
) -> None:
    executor = scene.executor(reviewing("amount.customer.USD=100", "count.1h=9", review_seconds=60))
    order = PaymentOrder(
        customer_id=CUSTOMER,
        merchant_id=MERCHANT,
        amount=usd(101),
        capture=capture,
        expires_in_seconds=60 if capture is CaptureMethod.MANUAL else None,
    )
    await executor.execute(SetFees(merchant_id=MERCHANT, currency=USD, fees=FeeSchedule(0, 1)))
    ids = [(await executor.execute(Pay(order=order))).payment.id for _ in range(3)]
    await executor.execute(ApprovePayment(payment_id=ids[0], reason="They were called"))
    await executor.execute(DeclinePayment(payment_id=ids[1], reason="They know of none"))
    assert list(await scene.storage.reader.payments_due(scene.clock.now, limit=10)) == []
    scene.clock.advance(60)
    # An approved hold has the same end.
    due = {ids[2]} if capture is CaptureMethod.AUTOMATIC else {ids[0], ids[2]}
    assert set(await scene.storage.reader.payments_due(scene.clock.now, limit=10)) == due
    for payment_id in (ids[0], ids[2]):
        with pytest.raises(PaymentExpired if payment_id in due else PaymentStateInvalid):
            await executor.execute(ApprovePayment(payment_id=payment_id, reason="Too late"))
    for payment_id in due:
        await executor.execute(ExpirePayment(payment_id=payment_id))
    stored = [await scene.storage.reader.payment(payment_id) for payment_id in ids]
    ends = [(each.status.value, each.failure_code) for each in stored if each is not None]
    approved = "captured" if capture is CaptureMethod.AUTOMATIC else "expired"
    assert ends == [(approved, None), ("canceled", "review_declined"), ("expired", "review_expired")]
    paid = 101 if capture is CaptureMethod.AUTOMATIC else 0
    assert await balances(scene.storage) == (BALANCE - paid, max(paid - 1, 0))


async def test_what_may_not_wait_is_refused(scene: Scene) -> None:
    executor = scene.executor(reviewing("count.1h=1"))
    await executor.execute(replace(pay(usd(1)), may_wait=False))
    with pytest.raises(LimitExceeded):
        await executor.execute(replace(pay(usd(1)), may_wait=False))
    waiting = await executor.execute(pay(usd(1)))
    assert waiting.payment.status is PaymentStatus.REQUIRES_REVIEW


async def test_rules_that_say_nothing_or_fail_make_no_payment(scene: Scene) -> None:
    for told in (None, "allow"):
        silent = replace(refusing("count.1h=1"), rules=cast("RiskRules", _Says(told)))
        with pytest.raises(TypeError):
            await scene.executor(silent).execute(pay(usd(1)))
    assert await balances(scene.storage) == (BALANCE, 0)


class _Says:
    """Rules of an embedding program that has a bug."""

    windows = ()

    def __init__(self, told: object) -> None:
        self._told = told

    def assess(self, _attempt: object) -> object:
        return self._told
