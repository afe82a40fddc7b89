"""Conversion is exact: for any rate, spread and amount, in currencies of 0, 2, 3 and 4 decimals, nothing is lost."""

from decimal import Decimal, Inexact, Rounded, localcontext
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.contracts.records import EUR, JPY, USD, a_quote, a_rate
from gateway.domain.conversion import Conversion, converted, minor_price, spread_on
from gateway.domain.errors import AmountTooLarge, AmountTooSmall, Refusal, SameCurrency
from gateway.domain.money import AMOUNT_MINOR_MAX, CurrencyCode, Money, currency_code
from gateway.domain.quote import Quote, SourceRefund, source_refund
from gateway.domain.rate import (
    RATE_MAX,
    RATE_MIN,
    SPREAD_BASIS_POINTS_MAX,
    CurrencyPair,
    ExchangeRate,
    Rate,
    check_distinct,
    rate_of,
    rate_text,
)

KWD, CLF = currency_code("KWD"), currency_code("CLF")
PAIRS = [CurrencyPair(*pair) for pair in permutations([JPY, USD, KWD, CLF], 2)]

decimals = st.decimals(RATE_MIN, RATE_MAX, allow_nan=False, allow_infinity=False, places=12).map(
    lambda each: f"{each:f}"
)
near_one = st.decimals("0.5", "2", allow_nan=False, allow_infinity=False, places=12).map(lambda each: f"{each:f}")
rates = st.builds(
    lambda pair, text, spread: a_rate(*pair, rate=rate_of(text), spread_basis_points=spread),
    st.sampled_from(PAIRS),
    st.one_of(near_one, near_one, decimals),
    st.one_of(st.integers(0, 500), st.integers(0, SPREAD_BASIS_POINTS_MAX)),
)
amounts = st.one_of(st.integers(1, 1_000), st.integers(1, 10**8), st.integers(1, AMOUNT_MINOR_MAX))


def conversion_of(amount_minor: int, currency: CurrencyCode, rate: ExchangeRate) -> Conversion:
    """The conversion, if there is one: most amounts have their like in most currencies."""
    try:
        return converted(Money(amount_minor, currency), rate)
    except Refusal:
        assume(False)  # noqa: FBT003 - Hypothesis's word for "not this one".
        raise


@pytest.mark.parametrize(
    ("source", "target", "text", "spread", "amount", "expected"),
    [
        # 1050 cents at 1.0842 are 968.46 euro cents, so 969; with a spread of 0.5 % on top of them, 974, of it 5.
        (EUR, USD, "1.0842", 50, Money(1_050, USD), (974, 1_050, 5)),
        (EUR, USD, "1.0842", 50, Money(974, EUR), (974, 1_050, 5)),
        (EUR, USD, "1.0842", 0, Money(10_000, EUR), (10_000, 10_842, 0)),
        (USD, JPY, "149.5", 0, Money(1, USD), (1, 1, 0)),  # 1.495 yen
        (USD, JPY, "149.5", 0, Money(1, JPY), (1, 1, 0)),  # two thirds of a cent are not enough, one is
        (USD, JPY, "149.5", 0, Money(2, JPY), (2, 2, 0)),
        (JPY, KWD, "0.002", 0, Money(1, JPY), (1, 2, 0)),
        (JPY, KWD, "0.002", 0, Money(1, KWD), (1, 1, 0)),  # the exchange keeps the other fils
        (JPY, CLF, "0.00017", 100, Money(1_000, JPY), (1_000, 1_683, 10)),
        (CLF, JPY, "5882.352941176470", 0, Money(10_000, CLF), (10_000, 5_882, 0)),
        (EUR, USD, "1", 1, Money(2, EUR), (2, 1, 1)),  # a spread is rounded up, so never nothing
    ],
)
def test_what_is_paid_and_what_is_got(
    source: CurrencyCode, target: CurrencyCode, text: str, spread: int, amount: Money, expected: tuple[int, int, int]
) -> None:
    found = converted(amount, a_rate(source, target, rate=rate_of(text), spread_basis_points=spread))
    assert (found.source.amount_minor, found.target.amount_minor, found.spread_minor) == expected
    assert (found.source.currency, found.target.currency) == (source, target)


@pytest.mark.parametrize(
    ("text", "spread", "amount"),
    [("0.001", 0, Money(9, EUR)), ("1", SPREAD_BASIS_POINTS_MAX, Money(1_000, EUR)), ("1", 50, Money(1, EUR))],
)
def test_what_would_be_nothing_is_refused(text: str, spread: int, amount: Money) -> None:
    with pytest.raises(AmountTooSmall):
        converted(amount, a_rate(EUR, USD, rate=rate_of(text), spread_basis_points=spread))


@pytest.mark.parametrize(
    ("text", "spread", "amount"),
    [
        ("1000000000", 0, Money(1_000, EUR)),
        ("0.000000001", 0, Money(1_000, USD)),
        ("1", SPREAD_BASIS_POINTS_MAX, Money(1, USD)),
        ("1", SPREAD_BASIS_POINTS_MAX - 1, Money(AMOUNT_MINOR_MAX // 9_000, USD)),
    ],
)
def test_what_would_be_more_than_an_amount_may_be_is_refused(text: str, spread: int, amount: Money) -> None:
    with pytest.raises(AmountTooLarge):
        converted(amount, a_rate(EUR, USD, rate=rate_of(text), spread_basis_points=spread))


@given(rates, amounts)
def test_a_given_source_is_paid_whole_and_its_target_is_rounded_down(rate: ExchangeRate, amount_minor: int) -> None:
    found = conversion_of(amount_minor, rate.pair.source, rate)
    exact = (amount_minor - found.spread_minor) * minor_price(rate)
    assert found.source.amount_minor == amount_minor
    assert exact - 1 < found.target.amount_minor <= exact


@given(rates, amounts)
def test_a_given_target_is_met_exactly_by_the_smallest_source_that_is_enough(
    rate: ExchangeRate, amount_minor: int
) -> None:
    found = conversion_of(amount_minor, rate.pair.target, rate)

    def is_enough(source_minor: int) -> bool:
        return (source_minor - spread_on(source_minor, rate.spread_basis_points)) * minor_price(rate) >= amount_minor

    assert found.target.amount_minor == amount_minor
    assert is_enough(found.source.amount_minor)
    assert not is_enough(found.source.amount_minor - 1)


@given(rates, amounts)
def test_whoever_pays_what_a_target_costs_gets_no_less_than_it(rate: ExchangeRate, amount_minor: int) -> None:
    there = conversion_of(amount_minor, rate.pair.target, rate)
    back = conversion_of(there.source.amount_minor, rate.pair.source, rate)
    assert back.target.amount_minor >= amount_minor
    assert back.spread_minor == there.spread_minor


@given(rates, amounts)
def test_the_spread_is_its_part_of_the_source_rounded_up(rate: ExchangeRate, amount_minor: int) -> None:
    found = conversion_of(amount_minor, rate.pair.source, rate)
    exact = Fraction(amount_minor * rate.spread_basis_points, 10_000)
    assert exact <= found.spread_minor < exact + 1
    assert 0 <= found.spread_minor <= amount_minor


@given(rates, amounts, st.data())
def test_refunds_in_any_parts_bring_back_exactly_what_was_paid(
    rate: ExchangeRate, amount_minor: int, data: st.DataObject
) -> None:
    conversion = conversion_of(amount_minor, rate.pair.source, rate)
    quote = quote_of(conversion, rate)
    target_minor = conversion.target.amount_minor
    cuts = sorted({*data.draw(st.lists(st.integers(1, target_minor), max_size=7)), target_minor})
    exchange_source = conversion.source.amount_minor - conversion.spread_minor
    fees, customer, refunded = conversion.spread_minor, 0, 0
    for cut in cuts:
        part = source_refund(quote, refunded_before_minor=refunded, refunded_minor=cut)
        assert min(part) >= 0
        fees, customer, refunded = fees - part.spread_minor, customer + part.source_minor, cut
        exchange_source += part.spread_minor - part.source_minor
        # Never more than the part of the target that came back.
        assert customer * target_minor <= conversion.source.amount_minor * refunded
        assert fees >= 0
    assert (exchange_source, fees, customer) == (0, 0, conversion.source.amount_minor)


def quote_of(conversion: Conversion, rate: ExchangeRate) -> Quote:
    return a_quote(
        source=conversion.source,
        target=conversion.target,
        spread_minor=conversion.spread_minor,
        rate=rate.rate,
        spread_basis_points=rate.spread_basis_points,
    )


def test_a_small_part_may_bring_the_customer_nothing_until_the_next() -> None:
    quote = a_quote(source=Money(10, EUR), target=Money(1_000, JPY), spread_minor=1)
    assert source_refund(quote, refunded_before_minor=0, refunded_minor=99) == SourceRefund(
        source_minor=0, spread_minor=0
    )
    assert source_refund(quote, refunded_before_minor=99, refunded_minor=100) == SourceRefund(
        source_minor=1, spread_minor=0
    )
    assert source_refund(quote, refunded_before_minor=100, refunded_minor=1_000) == SourceRefund(
        source_minor=9, spread_minor=1
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1.0842", "1.0842"),
        ("1.10", "1.1"),
        ("100", "100"),
        ("100.000000000000", "100"),
        ("0.000000001", "0.000000001"),
        ("0.123456789012", "0.123456789012"),
        ("1000000000", "1000000000"),
    ],
)
def test_a_rate_has_one_spelling(text: str, shown: str) -> None:
    assert rate_text(rate_of(text)) == shown
    assert rate_of(shown) == rate_of(text)


@given(decimals)
def test_every_rate_comes_back_from_its_text(text: str) -> None:
    assert rate_of(rate_text(rate_of(text))) == Decimal(text)


@pytest.mark.parametrize("precision", [1, 6, 12])
def test_a_rate_does_not_depend_on_the_decimal_context(precision: int) -> None:
    """An embedding program may have set another one for its own numbers."""
    with localcontext() as context:
        context.prec = precision
        context.traps[Inexact] = context.traps[Rounded] = True
        for text in ("1.0842", "0.123456789012", "999999999.999999999999", "1000000000"):
            assert rate_text(a_rate(EUR, USD, rate=rate_of(text)).rate) == text
        assert converted(Money(100, EUR), a_rate(EUR, USD, rate=rate_of("1.0842"), spread_basis_points=0))
        with pytest.raises(ValueError, match="A rate is a decimal"):
            a_rate(EUR, USD, rate=Rate(Decimal("1.0000000000001")))
    assert a_rate(EUR, USD, rate=Rate(Decimal("1.10000000000000000"))).rate == Decimal("1.1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0.0000000009",
        "1000000000.000000000001",
        "1.0000000000001",
        "-1",
        "+1",
        "1e3",
        "1.",
        ".5",
        "01",
        "1,5",
        "NaN",
        "Infinity",
        "٣",
        " 1",
        "1\n",
    ],
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="A rate is a decimal"):
        rate_of(text)


def test_an_exchange_is_between_two_currencies() -> None:
    assert check_distinct(CurrencyPair(EUR, USD)) == (EUR, USD)
    with pytest.raises(SameCurrency):
        check_distinct(CurrencyPair(EUR, EUR))
