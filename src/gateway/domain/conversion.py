"""Conversion: how much of one currency another one is, to the minor unit, rounded in favour of the exchange.

The spread comes out of the source first, rounded up; what is left is changed at the rate, rounded down. Asked the other
way round, the source is the smallest amount that is enough, and the target is met exactly. All of it is arithmetic of
whole numbers and their fractions: no float, and no decimal that could be cut off.
"""

from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from gateway.domain.errors import AmountTooLarge, AmountTooSmall
from gateway.domain.fees import BASIS_POINTS_MAX
from gateway.domain.money import AMOUNT_MINOR_MAX, AMOUNT_MINOR_MIN, Money, exponent
from gateway.domain.rate import ExchangeRate


class Conversion(NamedTuple):
    """What is paid, what is got for it, and the part of the payment that is the spread, in minor units of its own."""

    source: Money
    target: Money
    spread_minor: int


def converted(amount: Money, rate: ExchangeRate) -> Conversion:
    """What an amount of one of the pair's currencies is in the other one.

    Args:
        amount: In the source currency: all that is to be paid. In the target currency: exactly what is to be got.
        rate: With its spread.

    Raises:
        AmountTooSmall: Nothing would be left of it.
        AmountTooLarge: The other amount would be above `AMOUNT_MINOR_MAX`.
    """
    if amount.currency == rate.pair.source:
        source_minor = amount.amount_minor
        target_minor = floor((source_minor - spread_on(source_minor, rate.spread_basis_points)) * minor_price(rate))
    else:
        target_minor = amount.amount_minor
        source_minor = _source_for(target_minor, rate)
    if min(source_minor, target_minor) < AMOUNT_MINOR_MIN:
        raise AmountTooSmall(f"That is less than a minor unit of {rate.pair.target}.")
    if max(source_minor, target_minor) > AMOUNT_MINOR_MAX:
        raise AmountTooLarge(f"That is more than {AMOUNT_MINOR_MAX} minor units of the other currency.")
    return Conversion(
        source=Money(source_minor, rate.pair.source),
        target=Money(target_minor, rate.pair.target),
        spread_minor=spread_on(source_minor, rate.spread_basis_points),
    )


def spread_on(source_minor: int, spread_basis_points: int) -> int:
    """The gateway's part of what is paid, rounded up. Minor units."""
    return ceil(Fraction(source_minor * spread_basis_points, BASIS_POINTS_MAX))


def minor_price(rate: ExchangeRate) -> Fraction:
    """How many minor units of the target one minor unit of the source is worth, before the spread."""
    shift = exponent(rate.pair.target) - exponent(rate.pair.source)
    return Fraction(rate.rate) * Fraction(10) ** shift


def share_of(whole_minor: int, *, part_minor: int, of_minor: int) -> int:
    """The share of an amount that belongs to a part of another one, rounded down; to all of it belongs the whole.

    What belongs to a further part is the share of all parts so far, less the share of earlier parts: however an
    amount is split, no minor unit is made or lost.
    """
    return whole_minor * part_minor // of_minor


def _source_for(target_minor: int, rate: ExchangeRate) -> int:
    left_over = BASIS_POINTS_MAX - rate.spread_basis_points
    if left_over == 0:
        raise AmountTooLarge("The spread takes all that is paid, however much it is.")
    return ceil(Fraction(ceil(target_minor / minor_price(rate)) * BASIS_POINTS_MAX, left_over))
