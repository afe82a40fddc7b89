"""The gateway's own rules of risk."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contracts.records import EUR, NOW, USD, user_id
from gateway.domain.errors import InvalidInput, Refusal
from gateway.domain.limits import RISK_LIMITS_MAX
from gateway.domain.money import Money
from gateway.domain.payment import CaptureMethod
from gateway.domain.payment_counters import PaymentCounters
from gateway.domain.risk import ALLOWED, PaymentAttempt, RiskAction, RiskVerdict, refused, reviewed
from gateway.domain.risk_limits import (
    RISK_LIMIT_FORMS,
    AmountLimit,
    BalanceShareLimit,
    CountLimit,
    RiskLimits,
    SumLimit,
    is_risk_limit,
    risk_limit,
)

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NONE_YET = PaymentCounters(customer_id=user_id(1), windows={})


def attempt(
    amount: Money,
    *,
    paid: Money | None = None,
    available: int = 1_000_000,
    counters: PaymentCounters = NONE_YET,
    now: datetime = NOW,
) -> PaymentAttempt:
    return PaymentAttempt(
        customer_id=user_id(1),
        merchant_id=user_id(2),
        amount=amount,
        paid=paid or amount,
        capture=CaptureMethod.AUTOMATIC,
        reference=None,
        description=None,
        metadata={},
        available_minor=available,
        counters=counters,
        now=now,
    )


def refusing(*limits: str) -> RiskLimits:
    return RiskLimits(refuse=[risk_limit(limit) for limit in limits])


def test_a_payment_of_exactly_the_limit_is_allowed_and_one_minor_unit_more_is_not() -> None:
    for name in ("amount.customer.USD", "amount.merchant.USD"):
        rules = refusing(f"{name}=500")
        assert rules.assess(attempt(Money(500, USD))) == ALLOWED
        assert rules.assess(attempt(Money(501, USD))) == refused(name)
        assert rules.assess(attempt(Money(501, EUR))) == ALLOWED


def test_across_currencies_the_customer_pays_the_source_and_the_merchant_gets_the_target() -> None:
    across = attempt(Money(300, EUR), paid=Money(400, USD))
    assert refusing("amount.customer.EUR=1", "amount.merchant.USD=1", "sum.EUR.1h=1").assess(across) == ALLOWED
    assert refusing("amount.customer.USD=399").assess(across) == refused("amount.customer.USD")
    assert refusing("amount.merchant.EUR=299").assess(across) == refused("amount.merchant.EUR")
    assert refusing("sum.USD.1h=399").assess(across) == refused("sum.USD.1h")


def test_a_share_of_the_balance_is_no_limit_for_a_payment_that_lacks_funds() -> None:
    rules = refusing("balance_share=50")
    assert rules.assess(attempt(Money(50, USD), available=100)) == ALLOWED
    assert rules.assess(attempt(Money(51, USD), available=100)) == refused("balance_share")
    assert rules.assess(attempt(Money(100, USD), available=100)) == refused("balance_share")
    assert rules.assess(attempt(Money(101, USD), available=100)) == ALLOWED


def test_a_rule_that_refuses_comes_before_one_that_reviews_and_then_the_first() -> None:
    review = [risk_limit("amount.customer.USD=10"), risk_limit("amount.merchant.USD=20")]
    rules = RiskLimits(refuse=[risk_limit("balance_share=50")], review=review)
    assert rules.assess(attempt(Money(10, USD))) == ALLOWED
    assert rules.assess(attempt(Money(30, USD))) == reviewed("amount.customer.USD")
    assert rules.assess(attempt(Money(30, USD), available=40)) == refused("balance_share")


def test_no_rule_counts_payments_unless_it_has_a_window() -> None:
    assert refusing("amount.customer.USD=1", "balance_share=1").windows == frozenset()
    assert refusing("count.60m=1", "sum.USD.1h=1", "count.1d=1").windows == {HOUR, 24 * HOUR}


steps = st.lists(
    st.tuples(st.integers(0, 2_400).map(lambda seconds: timedelta(seconds=seconds)), st.integers(1, 700)), max_size=60
)


@given(steps)
def test_no_time_of_that_length_ever_holds_more_than_the_limits(steps: Sequence[tuple[timedelta, int]]) -> None:
    rules = refusing("count.1h=5", "sum.USD.1h=1000", "count.10m=3")
    counters, now = NONE_YET, NOW
    made: list[tuple[datetime, int]] = []
    for later, amount in steps:
        now += later
        asked = attempt(Money(amount, USD), counters=counters, now=now)
        verdict = rules.assess(asked)
        if verdict.action is RiskAction.ALLOW:
            counters = counters.counted(Money(amount, USD), rules.windows, now)
            made.append((now, amount))
        for end, _ in made:
            last_hour = [paid for at, paid in made if timedelta(0) <= end - at <= HOUR]
            assert len(last_hour) <= 5
            assert sum(last_hour) <= 1000
            assert len([at for at, _ in made if timedelta(0) <= end - at <= 10 * MINUTE]) <= 3


@given(steps, st.integers(1, 1000))
def test_a_refused_payment_passes_that_rule_when_it_is_told_to_come_again(
    steps: Sequence[tuple[timedelta, int]], last: int
) -> None:
    counters, now = NONE_YET, NOW
    for rules in (refusing("count.1h=5"), refusing("sum.USD.1h=1000")):
        for later, amount in steps:
            now += later
            counters = counters.counted(Money(amount, USD), [HOUR], now)
        verdict = rules.assess(attempt(Money(last, USD), counters=counters, now=now))
        if verdict.action is RiskAction.REFUSE:
            assert verdict.retry_at is not None
            assert verdict.retry_at > now
            again = attempt(Money(last, USD), counters=counters, now=verdict.retry_at)
            assert rules.assess(again) == ALLOWED


def test_a_payment_that_is_larger_than_the_limit_of_a_sum_is_never_within_it() -> None:
    verdict = refusing("sum.USD.1h=1000").assess(attempt(Money(1001, USD)))
    assert verdict == refused("sum.USD.1h", retry_at=None)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("amount.customer.USD=1", "amount.customer.USD"),
        ("amount.merchant.KWD=999999999999", "amount.merchant.KWD"),
        ("count.1m=1", "count.1m"),
        ("count.90m=1000000", "count.90m"),
        ("count.60m=1", "count.1h"),
        ("sum.JPY.31d=1000000000000000", "sum.JPY.31d"),
        ("sum.USD.24h=1", "sum.USD.1d"),
        ("balance_share=99", "balance_share"),
    ],
)
def test_a_limit_is_written_as_its_name_and_a_number(text: str, name: str) -> None:
    assert risk_limit(text).name == name
    assert is_risk_limit(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "count", "count.1h", "count.1h=", "count.1h=0", "count.1h=-1", "count.1h=1.5", "count.1h=1000001"),
        *("count.1s=1", "count.0m=1", "count.h=1", "count.1=1", "count.32d=1", "count.99999d=1", "count.٣h=1"),
        *("sum.1h=1", "sum.XXX.1h=1", "sum.USD.1h=0", "sum.USD.1h=1000000000000001", "sum.usd.1h=1"),
        *("amount.USD=1", "amount.operator.USD=1", "amount.nobody.USD=1", "amount.customer.USD=0"),
        *("balance_share=0", "balance_share=100", "balance_share.USD=5", "unknown.1h=1", "count.1h=1 ", "x" * 65),
    ],
)
def test_anything_else_is_no_limit(text: str) -> None:
    assert not is_risk_limit(text)
    with pytest.raises(Refusal):
        risk_limit(text)


def test_there_are_only_so_many_limits_and_windows() -> None:
    many = [risk_limit("balance_share=50")] * RISK_LIMITS_MAX
    RiskLimits(refuse=many)
    with pytest.raises(InvalidInput):
        RiskLimits(refuse=many, review=[risk_limit("count.1h=1")])
    with pytest.raises(InvalidInput):
        refusing(*(f"count.{minutes}m=1" for minutes in range(1, 10)))


@pytest.mark.parametrize("field", ["refuse", "review"])
@pytest.mark.parametrize(
    "wrong", [None, True, 1, 1.5, "count.1h=1", b"x", {}, ["count.1h=1"], [None], (1,), [AmountLimit], object()]
)
def test_what_is_no_limit_is_refused_when_the_rules_are_made(field: str, wrong: Any) -> None:
    with pytest.raises(InvalidInput) as found:
        RiskLimits(**{field: wrong})
    assert [(error.field, error.code) for error in found.value.errors] == [(field, "type_mismatch")]


def test_limits_are_copied_when_the_rules_are_made() -> None:
    limits = [risk_limit("count.1h=1")]
    rules = RiskLimits(refuse=limits, review=limits)
    limits.append(risk_limit("count.2h=1"))
    assert rules.windows == {HOUR}


@pytest.mark.parametrize("rule", ["", "x" * 65, 1])
def test_a_verdict_names_its_rule(rule: str) -> None:
    with pytest.raises(InvalidInput):
        refused(rule)
    with pytest.raises(InvalidInput):
        reviewed(rule)


def test_what_is_allowed_names_no_rule() -> None:
    with pytest.raises(InvalidInput):
        RiskVerdict(action=RiskAction.ALLOW, rule="count.1h")
    with pytest.raises(InvalidInput):
        RiskVerdict(action="allow")  # type: ignore[arg-type]


def test_what_is_no_limit_is_told_all_forms_of_limits() -> None:
    assert {type(risk_limit(form)) for form in RISK_LIMIT_FORMS} == {
        AmountLimit,
        BalanceShareLimit,
        CountLimit,
        SumLimit,
    }
    for text in ("amount.USD=5", "nonsense"):
        with pytest.raises(InvalidInput) as refusal:
            risk_limit(text)
        assert repr(text) in refusal.value.detail
        assert [form for form in RISK_LIMIT_FORMS if form not in refusal.value.detail] == []
