"""Money is a whole number of minor units of a currency that exists."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso4217 import Currency

from gateway.domain.errors import InvalidInput, UnknownCurrency
from gateway.domain.iso4217 import EXPONENTS
from gateway.domain.money import AMOUNT_MINOR_MAX, AMOUNT_MINOR_MIN, CurrencyCode, Money, currency_code, exponent
from support.builders import usd


@given(st.integers(AMOUNT_MINOR_MIN, AMOUNT_MINOR_MAX), st.sampled_from(sorted(EXPONENTS)))
def test_any_amount_within_the_bounds_is_money(amount_minor: int, code: str) -> None:
    money = Money(amount_minor, currency_code(code))
    assert (money.amount_minor, money.currency) == (amount_minor, code)


@given(st.one_of(st.integers(max_value=AMOUNT_MINOR_MIN - 1), st.integers(min_value=AMOUNT_MINOR_MAX + 1)))
def test_no_amount_outside_the_bounds_is_money(amount_minor: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        usd(amount_minor)
    assert [(error.field, error.code) for error in refused.value.errors] == [("amount_minor", "value_invalid")]


@pytest.mark.parametrize("amount", [1.0, 0.5, float("inf"), True, False, Decimal(1), "1", None, 1j])
def test_what_is_no_integer_is_no_money(amount: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        usd(amount)
    assert [(error.field, error.code) for error in refused.value.errors] == [("amount_minor", "type_mismatch")]


@pytest.mark.parametrize(
    "code", ["", "usd", "US", "USDT", "ZZZ", "XXX", "XTS", "XAU", "\uff35\uff33\uff24", " USD", "BTC"]
)
def test_a_currency_that_iso_4217_does_not_list_with_minor_units_is_unknown(code: str) -> None:
    with pytest.raises(UnknownCurrency):
        currency_code(code)
    with pytest.raises(UnknownCurrency):
        Money(1, CurrencyCode(code))


@pytest.mark.parametrize("code", [None, 840, b"USD", ["USD"], True])
def test_what_is_no_text_is_no_currency(code: Any) -> None:
    for make in (currency_code, lambda currency: Money(1, currency)):
        with pytest.raises(InvalidInput) as refused:
            make(code)
        assert [(error.field, error.code) for error in refused.value.errors] == [("currency", "type_mismatch")]


def test_the_currencies_are_those_of_iso_4217() -> None:
    published = {currency.code: currency.exponent for currency in Currency if currency.exponent is not None}
    assert published == EXPONENTS


@pytest.mark.parametrize(("code", "decimals"), [("JPY", 0), ("USD", 2), ("KWD", 3), ("CLF", 4)])
def test_the_exponent_is_the_number_of_decimals(code: str, decimals: int) -> None:
    assert exponent(currency_code(code)) == decimals


@pytest.mark.parametrize(
    ("amount_minor", "code", "text"),
    [
        (1050, "USD", "10.50 USD"),
        (5, "USD", "0.05 USD"),
        (5, "JPY", "5 JPY"),
        (1, "KWD", "0.001 KWD"),
        (AMOUNT_MINOR_MAX, "EUR", "9999999999.99 EUR"),
    ],
)
def test_money_reads_as_people_write_it(amount_minor: int, code: str, text: str) -> None:
    assert str(Money(amount_minor, currency_code(code))) == text
