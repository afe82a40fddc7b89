"""Fees: what the gateway keeps of what a merchant captures."""

from typing import Final, NamedTuple, Self

from gateway.domain.checks import check_integer
from gateway.domain.money import AMOUNT_MINOR_MAX

BASIS_POINTS_MAX: Final = 10_000
"""All of it: a basis point is a hundredth of a percent."""


class _Schedule(NamedTuple):
    basis_points: int = 0
    fixed_minor: int = 0


class FeeSchedule(_Schedule):
    """So much of each payment: `basis_points` of its amount, and `fixed_minor` minor units on top of them.

    Raises:
        InvalidInput: The share is not 0 … `BASIS_POINTS_MAX`, or the rest not 0 … `AMOUNT_MINOR_MAX`.
    """

    __slots__ = ()

    def __new__(cls, basis_points: int = 0, fixed_minor: int = 0) -> Self:
        """Check it, and make it. `_make` makes one that was checked before."""
        check_fees((basis_points, fixed_minor))
        return super().__new__(cls, basis_points, fixed_minor)

    def fee_on(self, amount_minor: int) -> int:
        """The fee on an amount: rounded half to even, and never more than the amount. Both are minor units."""
        return min(
            amount_minor, divided_half_even(amount_minor * self.basis_points, BASIS_POINTS_MAX) + self.fixed_minor
        )


def check_fees(schedule: tuple[object, object]) -> None:
    """Refuse a schedule that is out of bounds."""
    basis_points, fixed_minor = schedule
    check_integer("basis_points", basis_points, 0, BASIS_POINTS_MAX)
    check_integer("fixed_minor", fixed_minor, 0, AMOUNT_MINOR_MAX)


NO_FEES: Final = FeeSchedule()


def fee_on_capture(schedule: FeeSchedule, *, captured_before_minor: int, part_minor: int, charged_minor: int) -> int:
    """The fee on a further part: on all that is captured now, less what was charged before.

    However an amount is split, the parts' fees add up to the fee on the whole. Each is within 0 … `part_minor`, also
    when the schedule was changed in between.
    """
    due = schedule.fee_on(captured_before_minor + part_minor) - charged_minor
    return max(0, min(part_minor, due))


def fee_share_of_refund(
    *, part_minor: int, charged_minor: int, returned_minor: int, refunded_with_fee_minor: int, captured_minor: int
) -> int:
    """The part of the fee to return with a refund. `refunded_with_fee_minor` includes this refund.

    Cumulative, as for captures: when all captured money has been refunded, the whole fee has been returned. Capped
    at the refund: after a capture at a higher fee, the cumulative share could exceed it.
    """
    due = divided_half_even(charged_minor * refunded_with_fee_minor, captured_minor) - returned_minor
    return max(0, min(part_minor, due))


def divided_half_even(numerator: int, denominator: int) -> int:
    """`numerator` ≥ 0 divided by `denominator` > 0, rounded to the nearest integer, halves to the even one."""
    quotient, remainder = divmod(numerator, denominator)
    above_half = 2 * remainder - denominator
    return quotient + 1 if above_half > 0 or (above_half == 0 and quotient % 2 == 1) else quotient
