"""Fees on payments, captures and refunds. The books balance after each test."""

import pytest

from application.shop import Shop, capture, confirm, moves, refund, set_fees
from gateway import SetFees
from gateway.contracts.records import EUR, USD, user_id
from gateway.domain.errors import (
    CurrencyMismatch,
    InsufficientFunds,
    MerchantInsufficientFunds,
    MerchantNotFound,
    Refusal,
)
from gateway.domain.event_type import EventType
from gateway.domain.fees import FeeSchedule
from gateway.domain.transfer import TransferKind
from gateway.domain.user import Role
from support.builders import (
    CUSTOMER,
    balances,
    pay,
    register,
    usd,
)


async def test_fees_are_kept_of_payments_and_captures(shop: Shop) -> None:
    assert await shop.ask(set_fees(1_000, 3)) is EventType.ACCOUNT_FEES_CHANGED
    assert await shop.ask(set_fees(1_000, 3)) is None
    paid = await shop.executor.execute(pay(usd(40)))
    assert (paid.payment.fee_amount_minor, paid.payment.net_amount_minor) == (7, 33)
    assert moves(paid.transaction) == [(TransferKind.POST, 40), (TransferKind.POST, 7)]
    payment = await shop.hold(60)
    for amount_minor in (5, 5, 20):
        await shop.executor.execute(capture(payment, amount_minor, final=False))
    await shop.executor.execute(capture(payment))
    assert (await shop.payment(payment)).fee_amount_minor == 9  # 10 % of 60, and 3 once.
    asked = await shop.request(1)
    with pytest.raises(InsufficientFunds):
        await shop.executor.execute(confirm(asked))
    assert (await balances(shop.storage), await shop.fees()) == ((0, 84), 16)


async def test_a_fee_is_kept_of_a_request_that_was_confirmed(shop: Shop) -> None:
    await shop.executor.execute(set_fees(0, 2))
    await shop.executor.execute(confirm(await shop.request(40)))
    assert (await balances(shop.storage), await shop.fees()) == ((60, 38), 2)


async def test_the_fee_goes_back_with_the_refunds_that_ask_for_it(shop: Shop) -> None:
    await shop.executor.execute(set_fees(1_000, 1))
    payment = (await shop.executor.execute(pay(usd(50)))).payment.id
    with pytest.raises(MerchantInsufficientFunds):
        await shop.executor.execute(refund(payment))
    shares = [
        (await shop.executor.execute(refund(payment, amount_minor, refund_fee=True))).fee_refunded_minor
        for amount_minor in (20, 20, 10)
    ]
    assert sum(shares) == 6
    assert (await balances(shop.storage), await shop.fees()) == ((100, 0), 0)
    whole = await shop.payment(payment)
    assert (whole.fee_amount_minor, whole.fee_refunded_minor, whole.net_amount_minor) == (0, 6, 0)


async def test_the_amount_of_a_refund_is_what_the_customer_gets(shop: Shop) -> None:
    await shop.executor.execute(set_fees(1_000, 0))
    payment = (await shop.executor.execute(pay(usd(50)))).payment.id
    made = await shop.executor.execute(refund(payment, refund_fee=True))
    transaction = await shop.storage.reader.transaction(made.transaction_id)
    assert transaction is not None
    assert (transaction.amount_minor, moves(transaction)) == (50, [(TransferKind.POST, 5), (TransferKind.POST, 50)])


async def test_only_merchants_are_charged(shop: Shop) -> None:
    await shop.executor.execute(register(7, Role.MERCHANT, EUR))
    refusals: list[tuple[SetFees, type[Refusal]]] = [
        (SetFees(merchant_id=CUSTOMER, currency=USD, fees=FeeSchedule(1, 1)), MerchantNotFound),
        (SetFees(merchant_id=user_id(7), currency=USD, fees=FeeSchedule(1, 1)), CurrencyMismatch),
    ]
    for command, refusal in refusals:
        with pytest.raises(refusal):
            await shop.executor.execute(command)
