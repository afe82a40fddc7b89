"""Every row of the payment table, and no way beside them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contracts.records import NOW, payment_id, user_id
from gateway.domain.errors import (
    CaptureAmountExceedsAuthorized,
    CaptureLimitReached,
    InvalidInput,
    PaymentExpired,
    PaymentNotDue,
    PaymentNotRefundable,
    PaymentStateInvalid,
    RefundAmountExceedsRemaining,
    RefundLimitReached,
    Refusal,
)
from gateway.domain.fees import NO_FEES, FeeSchedule
from gateway.domain.limits import CAPTURES_MAX, EXPIRES_IN_SECONDS_DEFAULT, REFUNDS_MAX
from gateway.domain.new_payment import authorized, failed, paid_at_once, requested, to_be_reviewed
from gateway.domain.payment import CaptureMethod, Payment
from gateway.domain.payment_life import (
    approve,
    cancel,
    capture_hold,
    confirmation_failed,
    confirmed,
    confirmed_for_review,
    decline,
    expire,
    refund,
)
from gateway.domain.payment_status import UNFINISHED, PaymentStatus
from gateway.domain.payment_terms import PaymentOrder, PaymentRequest
from gateway.domain.user import UserId
from support.builders import usd

CUSTOMER, MERCHANT = user_id(1), user_id(2)
DEADLINE = NOW + timedelta(seconds=60)
LATER = NOW + timedelta(seconds=1)
FEES = FeeSchedule(290, 30)


def an_order(amount_minor: int = 100, capture_method: CaptureMethod = CaptureMethod.MANUAL) -> PaymentOrder:
    return PaymentOrder(
        customer_id=CUSTOMER,
        merchant_id=MERCHANT,
        amount=usd(amount_minor),
        metadata={},
        capture=capture_method,
        expires_in_seconds=60,
    )


def a_request(capture_method: CaptureMethod = CaptureMethod.MANUAL) -> Payment:
    request = PaymentRequest(
        merchant_id=MERCHANT, amount=usd(100), metadata={}, capture=capture_method, expires_in_seconds=60
    )
    return requested(request, payment_id=payment_id(1), now=NOW)


def a_hold(amount_minor: int = 100) -> Payment:
    return authorized(an_order(amount_minor), payment_id=payment_id(1), now=NOW)


def to_review(order: PaymentOrder | None = None) -> Payment:
    return to_be_reviewed(
        order or an_order(), payment_id=payment_id(1), rule="balance_share", review_seconds=60, now=NOW
    )


def captured_in_part(amount_minor: int = 30) -> Payment:
    return capture_hold(a_hold(), amount_minor=amount_minor, final=False, fees=NO_FEES, now=NOW).payment


def in_status(status: PaymentStatus) -> Payment:
    """A payment of 100 that came to this status."""
    payments: dict[PaymentStatus, Callable[[], Payment]] = {
        PaymentStatus.REQUIRES_CONFIRMATION: a_request,
        PaymentStatus.REQUIRES_REVIEW: to_review,
        PaymentStatus.AUTHORIZED: a_hold,
        PaymentStatus.PARTIALLY_CAPTURED: captured_in_part,
        PaymentStatus.CAPTURED: lambda: paid_at_once(an_order(), payment_id=payment_id(1), now=NOW),
        PaymentStatus.CANCELED: lambda: cancel(a_hold(), now=NOW).payment,
        PaymentStatus.EXPIRED: lambda: expire(a_hold(), now=DEADLINE).payment,
        PaymentStatus.FAILED: lambda: failed(
            an_order(), payment_id=payment_id(1), failure_code="insufficient_funds", now=NOW
        ),
    }
    return payments[status]()


Act = Callable[[Payment, datetime], Any]
ACTS: dict[str, Act] = {
    "confirm": lambda payment, now: confirmed(payment, customer_id=CUSTOMER, fee_minor=0, now=now),
    "fail to confirm": lambda payment, now: confirmation_failed(payment, failure_code="insufficient_funds", now=now),
    "approve": lambda payment, now: approve(payment, fees=NO_FEES, now=now).payment,
    "decline": lambda payment, now: decline(payment, now=now).payment,
    "capture": lambda payment, now: capture_hold(payment, amount_minor=None, final=True, fees=NO_FEES, now=now).payment,
    "capture a part": lambda payment, now: (
        capture_hold(payment, amount_minor=10, final=False, fees=NO_FEES, now=now).payment
    ),
    "cancel": lambda payment, now: cancel(payment, now=now).payment,
    "expire": lambda payment, now: expire(payment, now=now).payment,
    "refund": lambda payment, now: refund(payment, amount_minor=None, refund_fee=False, now=now).payment,
}
S = PaymentStatus
TABLE: dict[tuple[PaymentStatus, str], PaymentStatus] = {
    (S.REQUIRES_CONFIRMATION, "confirm"): S.AUTHORIZED,
    (S.REQUIRES_CONFIRMATION, "fail to confirm"): S.REQUIRES_CONFIRMATION,
    (S.REQUIRES_CONFIRMATION, "cancel"): S.CANCELED,
    (S.REQUIRES_REVIEW, "approve"): S.AUTHORIZED,
    (S.REQUIRES_REVIEW, "decline"): S.CANCELED,
    (S.REQUIRES_REVIEW, "cancel"): S.CANCELED,
    (S.AUTHORIZED, "capture"): S.CAPTURED,
    (S.AUTHORIZED, "capture a part"): S.PARTIALLY_CAPTURED,
    (S.AUTHORIZED, "cancel"): S.CANCELED,
    (S.PARTIALLY_CAPTURED, "capture"): S.CAPTURED,
    (S.PARTIALLY_CAPTURED, "capture a part"): S.PARTIALLY_CAPTURED,
    (S.PARTIALLY_CAPTURED, "cancel"): S.CAPTURED,
    (S.PARTIALLY_CAPTURED, "refund"): S.PARTIALLY_CAPTURED,
    (S.CAPTURED, "refund"): S.CAPTURED,
}


@pytest.mark.parametrize(("status", "act"), TABLE)
def test_a_version_is_of_no_earlier_time_than_the_one_before_whatever_the_clock_says(
    status: PaymentStatus, act: str
) -> None:
    before = replace(in_status(status), updated_at=DEADLINE + timedelta(seconds=1))
    after = ACTS[act](before, DEADLINE if status is S.EXPIRED else LATER)
    assert after.updated_at == before.updated_at


@pytest.mark.parametrize("status", PaymentStatus)
@pytest.mark.parametrize("act", ACTS)
def test_a_payment_moves_as_the_table_says_and_in_no_other_way(status: PaymentStatus, act: str) -> None:
    before = in_status(status)
    assert before.status is status
    now = DEADLINE if status is S.EXPIRED else LATER
    if (status, act) in TABLE:
        after = ACTS[act](before, now)
        assert after.status is TABLE[status, act]
        assert (after.version, after.updated_at) == (before.version + 1, now)
        assert (after.id, after.amount, after.created_at) == (before.id, before.amount, before.created_at)
    else:
        with pytest.raises(Refusal) as refused:
            ACTS[act](before, now)
        expected: type[Refusal] = PaymentExpired if status is S.EXPIRED else PaymentStateInvalid
        if act == "refund":
            expected = PaymentNotRefundable
        if act == "expire" and status in UNFINISHED:
            expected = PaymentNotDue
        assert type(refused.value) is expected


@pytest.mark.parametrize(
    ("status", "after"),
    [
        (S.REQUIRES_CONFIRMATION, S.EXPIRED),
        (S.REQUIRES_REVIEW, S.EXPIRED),
        (S.AUTHORIZED, S.EXPIRED),
        (S.PARTIALLY_CAPTURED, S.CAPTURED),
    ],
)
def test_its_time_is_over_at_the_very_moment_whether_it_was_written_down_or_not(
    status: PaymentStatus, after: PaymentStatus
) -> None:
    payment = in_status(status)
    just_before = DEADLINE - timedelta(microseconds=1)
    assert payment.at(just_before) is payment
    with pytest.raises(PaymentNotDue):
        expire(payment, now=just_before)
    assert (payment.at(DEADLINE).status, payment.at(DEADLINE).version) == (after, payment.version)
    assert payment.at(DEADLINE).amount_capturable_minor == 0
    written = expire(payment, now=DEADLINE)
    assert (written.payment.status, written.payment.version) == (after, payment.version + 1)
    assert written.released_minor == payment.amount_held_minor
    for act in ("confirm", "approve", "decline", "capture", "cancel"):
        with pytest.raises(Refusal) as unwritten:
            ACTS[act](payment, DEADLINE)
        with pytest.raises(Refusal) as refused:
            ACTS[act](written.payment, DEADLINE)
        assert type(unwritten.value) is type(refused.value)
        assert unwritten.value.facts == refused.value.facts
    with pytest.raises(Refusal):
        expire(written.payment, now=DEADLINE)


@pytest.mark.parametrize("status", PaymentStatus)
def test_what_is_allowed_is_what_is_not_refused(status: PaymentStatus) -> None:
    payment = in_status(status)
    allowed: list[str] = []
    for act in ("confirm", "approve", "decline", "capture", "cancel", "refund"):
        try:
            ACTS[act](payment, LATER)
        except Refusal:
            continue
        allowed.append(act)
    assert [action.value for action in payment.allowed_actions] == allowed


def test_a_refusal_tells_where_the_payment_stands() -> None:
    with pytest.raises(PaymentStateInvalid) as refused:
        cancel(in_status(S.CAPTURED), now=NOW)
    assert refused.value.facts == {"current_status": "captured", "allowed_actions": ["refund"]}
    with pytest.raises(PaymentExpired) as late:
        cancel(a_hold(), now=DEADLINE)
    assert late.value.facts == {"current_status": "expired", "allowed_actions": []}


def test_an_approved_payment_is_what_it_would_have_been_without_the_review() -> None:
    at_once = replace(an_order(), capture=CaptureMethod.AUTOMATIC, expires_in_seconds=None)
    for order, without, held in (
        (at_once, paid_at_once(at_once, payment_id=payment_id(1), now=NOW, fee_minor=33), 100),
        (an_order(), authorized(an_order(), payment_id=payment_id(1), now=NOW), 0),
    ):
        waiting = to_review(order)
        assert (waiting.failure_code, waiting.amount_held_minor, waiting.amount_capturable_minor) == (
            "balance_share",
            100,
            0,
        )
        approved = approve(waiting, fees=FEES, now=LATER)
        assert approved.payment == replace(without, version=2, updated_at=LATER)
        assert (approved.captured_minor, approved.fee_minor) == (held, without.fee_amount_minor)


def test_a_confirmed_request_waits_for_its_review_as_a_payment_does() -> None:
    for method, end in ((CaptureMethod.AUTOMATIC, LATER + timedelta(seconds=90)), (CaptureMethod.MANUAL, DEADLINE)):
        waiting = confirmed_for_review(
            a_request(method), customer_id=CUSTOMER, rule="count.1h", review_seconds=90, now=LATER
        )
        assert (waiting.status, waiting.customer_id) == (S.REQUIRES_REVIEW, CUSTOMER)
        assert (waiting.failure_code, waiting.expires_at) == ("count.1h", end)


def test_a_payment_that_was_not_approved_says_why_and_releases_its_money_and_its_reference() -> None:
    waiting = to_review(replace(an_order(), reference="order-1"))
    assert waiting.reference_held is not None
    for ended, status, code in (
        (decline(waiting, now=LATER), S.CANCELED, "review_declined"),
        (expire(waiting, now=DEADLINE), S.EXPIRED, "review_expired"),
        (cancel(waiting, now=LATER), S.CANCELED, None),
    ):
        assert (ended.payment.status, ended.payment.failure_code, ended.released_minor) == (status, code, 100)
        assert ended.payment.reference_held is None
    assert waiting.at(DEADLINE).failure_code == "review_expired"


def test_a_confirmed_request_is_paid_at_once_or_held() -> None:
    for method, status, captured in (
        (CaptureMethod.AUTOMATIC, S.CAPTURED, 100),
        (CaptureMethod.MANUAL, S.AUTHORIZED, 0),
    ):
        payment = confirmed(a_request(method), customer_id=CUSTOMER, fee_minor=0, now=LATER)
        assert (payment.status, payment.customer_id, payment.amount_captured_minor) == (status, CUSTOMER, captured)


@pytest.mark.parametrize("method", CaptureMethod)
@pytest.mark.parametrize("customer_id", [None, CUSTOMER])
def test_a_failed_confirmation_changes_nothing_but_the_failure_code_and_the_next_one_clears_it(
    method: CaptureMethod, customer_id: UserId | None
) -> None:
    asked = replace(a_request(method), customer_id=customer_id)
    tried = confirmation_failed(asked, failure_code="insufficient_funds", now=LATER)
    assert tried == replace(asked, failure_code="insufficient_funds", version=2, updated_at=LATER)
    again = confirmation_failed(tried, failure_code="insufficient_funds", now=LATER)
    assert again == replace(tried, version=3)
    paid = confirmed(again, customer_id=CUSTOMER, fee_minor=0, now=LATER)
    assert paid == replace(confirmed(asked, customer_id=CUSTOMER, fee_minor=0, now=LATER), version=4)
    assert paid.failure_code is None


@pytest.mark.parametrize("status", [S.CANCELED, S.EXPIRED])
def test_a_request_that_ends_unpaid_keeps_why_its_last_confirmation_failed(status: PaymentStatus) -> None:
    tried = confirmation_failed(a_request(), failure_code="insufficient_funds", now=LATER)
    ended = cancel(tried, now=LATER) if status is S.CANCELED else expire(tried, now=DEADLINE)
    assert (ended.payment.status, ended.payment.failure_code) == (status, "insufficient_funds")


def test_a_final_capture_gives_the_rest_back() -> None:
    taken = capture_hold(a_hold(), amount_minor=30, final=True, fees=FEES, now=NOW)
    assert (taken.captured_minor, taken.released_minor, taken.fee_minor) == (30, 70, 30)
    assert taken.payment.status is S.CAPTURED
    assert (taken.payment.amount_captured_minor, taken.payment.amount_capturable_minor) == (30, 0)


def test_the_last_unit_can_be_captured_and_not_one_more() -> None:
    with pytest.raises(CaptureAmountExceedsAuthorized) as refused:
        capture_hold(captured_in_part(30), amount_minor=71, final=False, fees=NO_FEES, now=NOW)
    assert refused.value.facts == {"remaining": 70}
    taken = capture_hold(captured_in_part(30), amount_minor=70, final=False, fees=NO_FEES, now=NOW)
    assert (taken.payment.status, taken.released_minor) == (S.CAPTURED, 0)


def test_the_last_unit_can_be_refunded_and_not_one_more() -> None:
    payment = in_status(S.CAPTURED)
    part = refund(payment, amount_minor=30, refund_fee=False, now=NOW).payment
    with pytest.raises(RefundAmountExceedsRemaining) as refused:
        refund(part, amount_minor=71, refund_fee=False, now=NOW)
    assert refused.value.facts == {"remaining": 70}
    whole = refund(part, amount_minor=None, refund_fee=False, now=NOW)
    assert (whole.amount_minor, whole.payment.amount_refundable_minor) == (70, 0)
    with pytest.raises(RefundAmountExceedsRemaining) as nothing_left:
        refund(whole.payment, amount_minor=None, refund_fee=False, now=NOW)
    assert nothing_left.value.facts == {"remaining": 0}


def test_captures_and_refunds_have_a_limit() -> None:
    payment = a_hold(1000)
    for _ in range(CAPTURES_MAX):
        payment = capture_hold(payment, amount_minor=2, final=False, fees=NO_FEES, now=NOW).payment
    with pytest.raises(CaptureLimitReached):
        capture_hold(payment, amount_minor=1, final=False, fees=NO_FEES, now=NOW)
    payment = cancel(payment, now=NOW).payment
    payment = capture_hold(a_hold(1000), amount_minor=None, final=True, fees=NO_FEES, now=NOW).payment
    for _ in range(REFUNDS_MAX):
        payment = refund(payment, amount_minor=1, refund_fee=False, now=NOW).payment
    with pytest.raises(RefundLimitReached):
        refund(payment, amount_minor=1, refund_fee=False, now=NOW)


@pytest.mark.parametrize("seconds", [0, 59, 2_678_401, -1])
def test_a_time_out_of_bounds_is_no_time(seconds: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        PaymentOrder(
            customer_id=CUSTOMER,
            merchant_id=MERCHANT,
            amount=usd(1),
            metadata={},
            capture=CaptureMethod.MANUAL,
            expires_in_seconds=seconds,
        )
    assert [error.field for error in refused.value.errors] == ["expires_in_seconds"]


def test_a_hold_lasts_a_week_unless_told_otherwise() -> None:
    order = PaymentOrder(customer_id=CUSTOMER, merchant_id=MERCHANT, amount=usd(1), metadata={})
    assert authorized(order, payment_id=payment_id(1), now=NOW).expires_at == NOW + timedelta(days=7)
    assert EXPIRES_IN_SECONDS_DEFAULT == 604_800


steps = st.lists(
    st.tuples(
        st.sampled_from(["capture", "refund", "cancel", "expire"]),
        st.one_of(st.none(), st.integers(1, 120)),
        st.booleans(),
        st.builds(FeeSchedule, st.integers(0, 10_000), st.integers(0, 50)),
    ),
    max_size=30,
)


@given(steps)
def test_no_history_makes_or_loses_a_minor_unit(history: list[tuple[str, int | None, bool, FeeSchedule]]) -> None:
    payment = a_hold()
    held, taken, refunded, fees = 100, 0, 0, 0
    for act, amount_minor, flag, schedule in history:
        version = payment.version
        try:
            if act == "capture":
                after = capture_hold(payment, amount_minor=amount_minor, final=flag, fees=schedule, now=NOW)
                held -= after.captured_minor + after.released_minor
                taken += after.captured_minor
                fees += after.fee_minor
                payment = after.payment
            elif act == "refund":
                back = refund(payment, amount_minor=amount_minor, refund_fee=flag, now=NOW)
                refunded += back.amount_minor
                fees -= back.fee_minor
                payment = back.payment
            else:
                ended = cancel(payment, now=NOW) if act == "cancel" else expire(payment, now=DEADLINE)
                held -= ended.released_minor
                payment = ended.payment
        except Refusal:
            continue
        assert payment.version == version + 1
        assert payment.amount_held_minor == held
        assert payment.amount_captured_minor == taken
        assert payment.amount_refunded_minor == refunded
        assert payment.fee_amount_minor == fees
        assert 100 >= taken >= refunded >= 0
        assert 0 <= fees <= taken
        assert payment.net_amount_minor == taken - refunded - fees
