"""Rate: what one unit of a currency costs in another, as an exact decimal."""

import re
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Final, NamedTuple, NewType

from gateway.domain.checks import check_instant, check_integer, check_type, wrong_type
from gateway.domain.errors import SameCurrency, invalid
from gateway.domain.exchange_errors import RateChangeTooLarge
from gateway.domain.fees import BASIS_POINTS_MAX
from gateway.domain.immutable import immutable
from gateway.domain.money import CurrencyCode, currency_code

Rate = NewType("Rate", Decimal)
"""So many major units of one currency for one major unit of another. Made by `rate_of`, so it is within bounds."""

RATE_PLACES_MAX: Final = 12
RATE_MIN: Final = Decimal("0.000000001")
RATE_MAX: Final = Decimal(1_000_000_000)
RATE_PATTERN: Final = "^(0|[1-9][0-9]{0,9})(\\.[0-9]{1,12})?$"
"""The form of a rate as text: digits, and up to `RATE_PLACES_MAX` of them behind the point."""

SPREAD_BASIS_POINTS_MAX: Final = BASIS_POINTS_MAX
"""All of it. Nothing would be left to change then, so that every quote is refused."""

PERCENT: Final = 100
"""The whole of a rate. A rate never changes by more of the larger of its two values."""

_FORM: Final = re.compile(RATE_PATTERN)
_DIGITS_MAX: Final = 50
"""Enough for the exact difference of two rates, and a hundred times as much."""
_BOUNDS: Final = f"A rate is a decimal between {RATE_MIN:f} and {RATE_MAX} with up to {RATE_PLACES_MAX} places."


class CurrencyPair(NamedTuple):
    """The currency that the customer pays in, and the currency that the merchant gets."""

    source: CurrencyCode
    target: CurrencyCode


@immutable
class ExchangeRate:
    """What one unit of `pair.source` costs in `pair.target`, and the part of the source that the gateway takes.

    Raises:
        InvalidInput: The rate is not one that `rate_of` makes, the spread not 0 … `SPREAD_BASIS_POINTS_MAX`, …
        UnknownCurrency, SameCurrency: The pair is none.
    """

    pair: CurrencyPair
    rate: Rate
    spread_basis_points: int
    updated_at: datetime

    def __post_init__(self) -> None:
        check_pair(self.pair)
        check_distinct(self.pair)
        check_rate(self.rate)
        check_integer("spread_basis_points", self.spread_basis_points, 0, SPREAD_BASIS_POINTS_MAX)
        check_instant("updated_at", self.updated_at)


def check_pair(pair: object) -> None:
    """Refuse what is not a pair of known currencies."""
    if not isinstance(pair, CurrencyPair):
        raise wrong_type("pair", "a CurrencyPair", pair)
    currency_code(pair.source)
    currency_code(pair.target)


def check_rate(rate: Decimal) -> None:
    """Refuse what is not `RATE_MIN` to `RATE_MAX` with at most `RATE_PLACES_MAX` decimals."""
    check_type("rate", rate, Decimal)
    if not rate.is_finite() or not RATE_MIN <= rate <= RATE_MAX or _places(rate) > RATE_PLACES_MAX:
        raise invalid("rate", "value_invalid", _BOUNDS)


def _places(rate: Decimal) -> int:
    """How many decimals a finite number has. Not rounded: that would depend on the decimal context of the thread."""
    digits, exponent = rate.as_tuple()[1:]
    zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return max(0, -int(exponent) - zeros)


def rate_of(text: str) -> Rate:
    """Read a rate, for example `"1.0842"`.

    Raises:
        InvalidInput: It has not the form of one, more than `RATE_PLACES_MAX` decimals, or is out of bounds.
    """
    check_type("rate", text, str)
    if _FORM.fullmatch(text) is None:
        raise invalid("rate", "value_invalid", _BOUNDS)
    rate = Decimal(text)
    check_rate(rate)
    return Rate(rate)


def rate_text(rate: Rate) -> str:
    """The one spelling of a rate: no exponent, and no zeros at its end."""
    text = f"{rate:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def check_change(before: Rate, after: Rate, percent_max: int) -> None:
    """Refuse a rate that differs from the rate before by more than a share of the larger of the two.

    So a rate that doubles and a rate that is halved have changed alike, by 50 percent.

    Raises:
        RateChangeTooLarge: It does.
    """
    larger = max(before, after)
    with localcontext(prec=_DIGITS_MAX):
        is_too_large = abs(after - before) * PERCENT > larger * percent_max
    if is_too_large:
        raise RateChangeTooLarge(
            f"The rate is {rate_text(before)} now, and may change by {percent_max} percent unless that is confirmed.",
            current_rate=rate_text(before),
        )


def check_distinct(pair: CurrencyPair) -> CurrencyPair:
    """Return the pair; refuse a pair of two equal currencies.

    Raises:
        SameCurrency: Both are the same.
    """
    if pair.source == pair.target:
        raise SameCurrency("An exchange is between two currencies.")
    return pair
