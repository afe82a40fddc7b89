"""Fees are exact: however an amount is split, no minor unit is made or lost."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.fees import (
    BASIS_POINTS_MAX,
    NO_FEES,
    FeeSchedule,
    divided_half_even,
    fee_on_capture,
    fee_share_of_refund,
)
from gateway.domain.money import AMOUNT_MINOR_MAX

amounts = st.one_of(st.integers(1, 1_000), st.integers(1, AMOUNT_MINOR_MAX))
schedules = st.builds(
    FeeSchedule, st.integers(0, BASIS_POINTS_MAX), st.one_of(st.integers(0, 100), st.integers(0, AMOUNT_MINOR_MAX))
)


@st.composite
def splits(draw: st.DrawFn) -> list[int]:
    """Up to eight parts of an amount."""
    whole = draw(amounts)
    cuts = sorted({*draw(st.lists(st.integers(1, whole), max_size=7)), whole})
    return [end - start for start, end in zip([0, *cuts], cuts, strict=False)]


@pytest.mark.parametrize(
    ("basis_points", "fixed_minor", "amount_minor", "fee_minor"),
    [
        (290, 30, 1_000, 59),
        (0, 0, 1_000, 0),
        (50, 0, 100, 0),  # half a unit, to the even 0
        (50, 0, 300, 2),  # one and a half, to the even 2
        (50, 0, 101, 1),
        (0, 30, 20, 20),
        (10_000, 1, 7, 7),
    ],
)
def test_a_fee_is_a_share_and_a_fixed_part(
    basis_points: int, fixed_minor: int, amount_minor: int, fee_minor: int
) -> None:
    assert FeeSchedule(basis_points, fixed_minor).fee_on(amount_minor) == fee_minor


@given(st.integers(0, 10**16), st.integers(1, 10**12))
def test_halves_are_rounded_to_the_even_number(numerator: int, denominator: int) -> None:
    assert divided_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@given(schedules, amounts)
def test_a_fee_is_never_more_than_the_amount(schedule: FeeSchedule, amount_minor: int) -> None:
    assert 0 <= schedule.fee_on(amount_minor) <= amount_minor
    assert NO_FEES.fee_on(amount_minor) == 0


@given(schedules, splits())
def test_the_fees_on_parts_are_the_fee_on_the_whole(schedule: FeeSchedule, parts: list[int]) -> None:
    captured = charged = 0
    for part in parts:
        fee = fee_on_capture(schedule, captured_before_minor=captured, part_minor=part, charged_minor=charged)
        assert 0 <= fee <= part
        captured, charged = captured + part, charged + fee
    assert charged == schedule.fee_on(captured)


@given(st.lists(schedules, min_size=8, max_size=8), splits())
def test_a_schedule_that_changes_in_between_never_charges_more_than_the_part(
    changing: list[FeeSchedule], parts: list[int]
) -> None:
    captured = charged = 0
    for schedule, part in zip(changing, parts, strict=False):
        fee = fee_on_capture(schedule, captured_before_minor=captured, part_minor=part, charged_minor=charged)
        assert 0 <= fee <= part
        captured, charged = captured + part, charged + fee


@given(st.data(), splits())
def test_the_shares_of_refunds_are_the_fee_on_the_whole(data: st.DataObject, parts: list[int]) -> None:
    captured = sum(parts)
    charged = data.draw(st.integers(0, captured))
    refunded = source_refund = 0
    for part in parts:
        refunded += part
        share = fee_share_of_refund(
            part_minor=part,
            charged_minor=charged,
            returned_minor=source_refund,
            refunded_with_fee_minor=refunded,
            captured_minor=captured,
        )
        assert 0 <= share <= charged - source_refund
        source_refund += share
    assert source_refund == charged


@given(st.lists(schedules, min_size=8, max_size=8), splits(), st.data())
def test_refunds_between_captures_give_no_more_of_the_fee_back_than_themselves_and_in_the_end_all_of_it(
    changing: list[FeeSchedule], parts: list[int], data: st.DataObject
) -> None:
    captured = charged = refunded = source_refund = 0
    for schedule, part in zip(changing, parts, strict=False):
        charged += fee_on_capture(schedule, captured_before_minor=captured, part_minor=part, charged_minor=charged)
        captured += part
        is_last = captured == sum(parts)
        refund = captured - refunded if is_last else data.draw(st.integers(1, captured - refunded))
        refunded += refund
        share = fee_share_of_refund(
            part_minor=refund,
            charged_minor=charged,
            returned_minor=source_refund,
            refunded_with_fee_minor=refunded,
            captured_minor=captured,
        )
        assert 0 <= share <= refund
        source_refund += share
    assert source_refund == charged
