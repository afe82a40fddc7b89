"""Payments with a quote."""

import asyncio
from datetime import timedelta

import pytest

from application.bureau import DOLLARS, EUROS, PAIR, STRANGER, Bureau, moved, payment_with, refused
from gateway import FreezeAccount, OpenAccount, PaymentResult, SetFees
from gateway.application.errors import InvalidInput
from gateway.contracts.records import EUR, USD, user_id
from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.errors import AccountFrozen, CurrencyMismatch, InsufficientFunds, MerchantNotFound, Refusal
from gateway.domain.exchange_errors import QuoteAmountMismatch, QuoteExpired, QuoteNotFound, QuoteUsed
from gateway.domain.fees import FeeSchedule
from gateway.domain.money import Money
from gateway.domain.payment import CaptureMethod, QuoteId
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.rate import rate_of
from gateway.domain.transaction import TransactionType
from gateway.domain.user import Role
from support.builders import (
    CUSTOMER,
    MERCHANT,
    deposit,
    pay,
    register,
    usd,
)


async def test_the_customer_pays_in_one_currency_and_the_merchant_gets_the_other(bureau: Bureau) -> None:
    quote = await bureau.quote()
    paid = await bureau.pay(quote)
    assert bureau.posted(EUROS, DOLLARS) == [10_000 - 974, 1_050]
    assert bureau.gateways_own() == [969, -1_050, 5, 0]
    payment, transaction = paid.payment, paid.transaction
    assert (payment.status, payment.amount, payment.quote_id) == (PaymentStatus.CAPTURED, usd(1_050), quote.id)
    assert (transaction.type, transaction.amount_minor, transaction.currency) == (TransactionType.PAYMENT, 1_050, USD)
    assert sorted(moved(each) for each in transaction.transfers) == [(5, "EUR"), (974, "EUR"), (1_050, "USD")]
    assert bureau.quote_now(quote) == quote.used_by(payment.id)


async def test_a_merchants_fee_is_charged_in_the_currency_they_are_paid_in(bureau: Bureau) -> None:
    await bureau.executor.execute(SetFees(merchant_id=MERCHANT, currency=USD, fees=FeeSchedule(290, 30)))
    paid = await bureau.pay(await bureau.quote())
    assert paid.payment.fee_amount_minor == 60
    assert bureau.posted(DOLLARS) == [1_050 - 60]
    assert bureau.gateways_own() == [969, -1_050, 5, 60]
    await bureau.refund(paid.payment, refund_fee=True)
    assert bureau.gateways_own() == [0, 0, 0, 0]
    assert bureau.posted(EUROS, DOLLARS) == [10_000, 0]


async def test_without_a_spread_nothing_goes_to_the_fees(bureau: Bureau) -> None:
    await bureau.exchange.set_rate(PAIR, rate_of("1"), spread_basis_points=0)
    paid = await bureau.pay(await bureau.quote())
    assert len(paid.transaction.transfers) == 2
    assert bureau.gateways_own() == [1_050, -1_050, 0, 0]


async def test_a_quote_is_used_once(bureau: Bureau) -> None:
    quote = await bureau.quote()
    await bureau.pay(quote)
    await refused(bureau, payment_with(quote.id), QuoteUsed)
    bureau.clock.advance(60)
    await refused(bureau, payment_with(quote.id), QuoteUsed)


async def test_of_many_at_once_one_uses_a_quote(bureau: Bureau) -> None:
    """However they are grouped: also within one transaction."""
    quote = await bureau.quote()
    outcomes = await asyncio.gather(
        *(bureau.executor.execute(payment_with(quote.id)) for _ in range(8)), return_exceptions=True
    )
    assert sum(isinstance(outcome, PaymentResult) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, QuoteUsed) for outcome in outcomes) == 7
    assert bureau.posted(DOLLARS) == [1_050]


async def test_the_same_key_uses_a_quote_once_and_gets_the_same_answer(bureau: Bureau) -> None:
    command = payment_with((await bureau.quote()).id)
    first = await bureau.executor.execute(command, idempotency_key="order-1")
    bureau.clock.advance(3_600)
    assert await bureau.executor.execute(command, idempotency_key="order-1") == first
    assert bureau.posted(DOLLARS) == [1_050]


async def test_a_quote_is_over_the_moment_its_time_is(bureau: Bureau) -> None:
    first, second = await bureau.quote(), await bureau.quote()
    bureau.clock.now = first.expires_at - timedelta(microseconds=1)
    await bureau.pay(first)
    bureau.clock.now = second.expires_at
    await refused(bureau, payment_with(second.id), QuoteExpired)


async def test_somebody_elses_quote_is_none(bureau: Bureau) -> None:
    theirs = await bureau.quote(customer=9)
    for quote_id in (theirs.id, QuoteId("quo_nothing")):
        await refused(bureau, payment_with(quote_id), QuoteNotFound)


@pytest.mark.parametrize(
    ("terms", "refusal"),
    [
        ({"amount": usd(1_049)}, QuoteAmountMismatch),
        ({"amount": usd(1_051)}, QuoteAmountMismatch),
        ({"merchant_id": user_id(404)}, MerchantNotFound),
    ],
)
async def test_a_payment_that_does_not_fit_its_quote_is_refused(
    bureau: Bureau, terms: dict[str, object], refusal: type[Refusal]
) -> None:
    quote = await bureau.quote()
    await refused(bureau, payment_with(quote.id, **terms), refusal)
    await bureau.pay(quote)


async def test_a_payment_with_a_quote_cannot_be_held(bureau: Bureau) -> None:
    quote = await bureau.quote()
    with pytest.raises(InvalidInput) as refused:
        payment_with(quote.id, capture=CaptureMethod.MANUAL)
    assert [error.field for error in refused.value.errors] == ["capture"]


async def test_a_payment_in_another_currency_than_the_quotes_is_refused(bureau: Bureau) -> None:
    await bureau.executor.execute(OpenAccount(key=AccountKey(MERCHANT, EUR, AccountKind.MERCHANT)))
    quote = await bureau.quote()
    await refused(bureau, payment_with(quote.id, amount=Money(1_050, EUR)), CurrencyMismatch)


async def test_without_a_quote_currencies_must_match(bureau: Bureau) -> None:
    await refused(bureau, pay(Money(10, EUR)), CurrencyMismatch)


async def test_whoever_has_no_account_in_the_source_currency_cannot_pay(bureau: Bureau) -> None:
    await bureau.executor.execute(register(9, Role.CUSTOMER, USD))
    quote = await bureau.quote(customer=9)
    await refused(bureau, payment_with(quote.id, customer_id=STRANGER), CurrencyMismatch)


async def test_a_payment_that_failed_has_not_used_its_quote(bureau: Bureau) -> None:
    quote = await bureau.quote(usd(11_000))
    refusal = await refused(bureau, payment_with(quote.id, amount=usd(11_000)), InsufficientFunds)
    failed = bureau.database.payments[refusal.facts["payment_id"]]
    assert (failed.status, failed.quote_id, failed.amount) == (PaymentStatus.FAILED, None, usd(11_000))
    await bureau.executor.execute(deposit(Money(1_000, EUR), bureau.account(EUROS).id))
    await bureau.pay(quote)


async def test_a_frozen_customer_cannot_pay_across_either(bureau: Bureau) -> None:
    quote = await bureau.quote()
    await bureau.executor.execute(FreezeAccount(account_id=bureau.account(EUROS).id))
    await refused(bureau, payment_with(quote.id), AccountFrozen)


async def test_a_payment_without_a_quote_asks_for_nothing_more(bureau: Bureau) -> None:
    await bureau.executor.execute(pay(usd(10)))
    assert bureau.watch.loads[-1].quotes == set()
    assert bureau.watch.loads[-1].account_keys == {
        AccountKey(CUSTOMER, USD, AccountKind.CUSTOMER),
        AccountKey(MERCHANT, USD, AccountKind.MERCHANT),
    }
    assert list(bureau.watch.commits[-1].quotes_changed) == []
