"""A quote is good for one payment, of its customer's and over its target, until its time is over."""

from datetime import datetime, timedelta

import pytest

from gateway.contracts.records import EUR, NOW, USD, a_payment, a_quote, a_transaction, a_transfer, payment_id, user_id
from gateway.domain.account import AccountId
from gateway.domain.errors import CurrencyMismatch, Refusal
from gateway.domain.exchange_errors import QuoteAmountMismatch, QuoteExpired, QuoteNotFound, QuoteUsed
from gateway.domain.money import Money
from gateway.domain.new_payment import failed, paid_at_once
from gateway.domain.payment_life import confirmed
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.payment_terms import PaymentOrder
from gateway.domain.quote import Quote, check_usable
from gateway.domain.transaction import TransactionType

QUOTE = a_quote(target=Money(53, USD), expires_at=NOW)
BEFORE = NOW - timedelta(microseconds=1)


def check(quote: Quote = QUOTE, *, customer: int = 1, amount: Money = QUOTE.target, now: datetime = BEFORE) -> None:
    check_usable(quote, customer_id=user_id(customer), amount=amount, now=now)


def test_it_is_good_to_the_last_moment_before_its_time_is_over() -> None:
    check(now=BEFORE)
    for now in (NOW, NOW + timedelta(days=1)):
        with pytest.raises(QuoteExpired):
            check(now=now)


def test_it_is_used_once() -> None:
    used = QUOTE.used_by(payment_id(1))
    assert (used.payment_id, used.version) == (payment_id(1), 2)
    for now in (BEFORE, NOW):
        with pytest.raises(QuoteUsed):
            check(used, now=now)


def test_it_is_nobody_elses() -> None:
    for quote in (QUOTE, QUOTE.used_by(payment_id(1))):
        with pytest.raises(QuoteNotFound):
            check(quote, customer=2, now=NOW)


@pytest.mark.parametrize(
    ("amount", "refusal"),
    [
        (Money(54, USD), QuoteAmountMismatch),
        (Money(52, USD), QuoteAmountMismatch),
        (Money(53, EUR), CurrencyMismatch),
        (QUOTE.source, CurrencyMismatch),
    ],
)
def test_it_is_for_its_target_and_nothing_else(amount: Money, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        check(amount=amount)


def test_a_payment_says_which_quote_it_used() -> None:
    order = PaymentOrder(
        customer_id=user_id(1), merchant_id=user_id(2), amount=QUOTE.target, metadata={}, quote_id=QUOTE.id
    )
    assert paid_at_once(order, payment_id=payment_id(1), now=NOW).quote_id == QUOTE.id
    # One that failed has used none: the quote is good for another try.
    assert failed(order, payment_id=payment_id(1), failure_code="insufficient_funds", now=NOW).quote_id is None


def test_a_confirmed_payment_says_which_quote_it_used() -> None:
    asked = a_payment(status=PaymentStatus.REQUIRES_CONFIRMATION, customer_id=None)
    for quote_id in (QUOTE.id, None):
        paid = confirmed(asked, customer_id=user_id(1), fee_minor=0, quote_id=quote_id, now=NOW)
        assert paid.quote_id == quote_id


@pytest.mark.parametrize("kind", [TransactionType.PAYMENT, TransactionType.REFUND])
def test_a_transaction_is_about_what_the_merchant_gets_or_gives_back(kind: TransactionType) -> None:
    euros = a_transfer(AccountId("acc_1"), AccountId("acc_2"), amount_minor=50, currency=EUR)
    dollars = a_transfer(AccountId("acc_3"), AccountId("acc_4"), amount_minor=53, currency=USD)
    transfers = (dollars, euros) if kind is TransactionType.PAYMENT else (euros, dollars)
    transaction = a_transaction(1, *transfers, type=kind)
    assert (transaction.amount_minor, transaction.currency) == (53, USD)
