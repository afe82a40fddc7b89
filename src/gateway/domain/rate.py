"""Rate: what one unit of a currency costs in another, as an exact decimal."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple, NewType

from gateway.domain.errors import SameCurrency
from gateway.domain.fees import BASIS_POINTS_MAX
from gateway.domain.money import CurrencyCode
from gateway.domain.value import value

Rate = NewType("Rate", Decimal)
"""So many major units of one currency for one major unit of another. Made by `rate_of`, so it is within bounds."""

RATE_PLACES_MAX: Final = 12
RATE_MIN: Final = Decimal("0.000000001")
RATE_MAX: Final = Decimal(1_000_000_000)
RATE_PATTERN: Final = "^(0|[1-9][0-9]{0,9})(\\.[0-9]{1,12})?$"
"""The form of a rate as text: digits, and up to `RATE_PLACES_MAX` of them behind the point."""

SPREAD_BASIS_POINTS_MAX: Final = BASIS_POINTS_MAX
"""All of it. Nothing would be left to change then, so that every quote is refused."""

_FORM: Final = re.compile(RATE_PATTERN)


class CurrencyPair(NamedTuple):
    """The currency that somebody pays in, and the one that somebody else gets."""

    source: CurrencyCode
    target: CurrencyCode


@value
class ExchangeRate:
    """What one unit of `pair.source` costs in `pair.target`, and the part of the source that the gateway takes."""

    pair: CurrencyPair
    rate: Rate
    spread_basis_points: int
    updated_at: datetime


def rate_of(text: str) -> Rate:
    """Read a rate, for example `"1.0842"`.

    Raises:
        ValueError: It has not the form of one, more than `RATE_PLACES_MAX` decimals, or is out of bounds.
    """
    if _FORM.fullmatch(text) is None or not RATE_MIN <= Decimal(text) <= RATE_MAX:
        raise ValueError(
            f"A rate is a decimal between {RATE_MIN:f} and {RATE_MAX} with up to {RATE_PLACES_MAX} places."
        )
    return Rate(Decimal(text))


def rate_text(rate: Rate) -> str:
    """The one spelling of a rate: no exponent, and no zeros at its end."""
    text = f"{rate:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def must_be_two(pair: CurrencyPair) -> CurrencyPair:
    """The pair, once it is clear that it is one.

    Raises:
        SameCurrency: Both are the same.
    """
    if pair.source == pair.target:
        raise SameCurrency("An exchange is between two currencies.")
    return pair
