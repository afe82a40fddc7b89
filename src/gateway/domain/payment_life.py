"""The life of a payment: confirmed, reviewed, captured, canceled, expired, refunded."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple, assert_never

from gateway.domain.errors import (
    CaptureAmountExceedsAuthorized,
    CaptureLimitReached,
    PaymentExpired,
    PaymentNotDue,
    PaymentNotRefundable,
    PaymentStateInvalid,
    RefundAmountExceedsRemaining,
    RefundLimitReached,
)
from gateway.domain.fees import FeeSchedule, fee_on_capture, fee_share_of_refund
from gateway.domain.limits import CAPTURES_MAX, REFUNDS_MAX
from gateway.domain.money import check_amount
from gateway.domain.payment import CaptureMethod, Payment, QuoteId
from gateway.domain.payment_status import ENDED_WITHOUT_MONEY, REVIEW_DECLINED, UNFINISHED, PaymentAction, PaymentStatus
from gateway.domain.user import UserId


def confirmed(
    payment: Payment, *, customer_id: UserId, fee_minor: int, now: datetime, quote_id: QuoteId | None = None
) -> Payment:
    """Confirm a request: the customer's money has moved or is on hold. A hold expires when the request would have.

    Raises:
        PaymentStateInvalid, PaymentExpired: It does not wait for a confirmation.
    """
    must_allow(payment, PaymentAction.CONFIRM, now)
    match payment.capture:
        case CaptureMethod.AUTOMATIC:
            return _next(
                payment,
                now,
                status=PaymentStatus.CAPTURED,
                customer_id=customer_id,
                amount_captured_minor=payment.amount.amount_minor,
                fee_amount_minor=fee_minor,
                failure_code=None,
                quote_id=quote_id,
            )
        case CaptureMethod.MANUAL:
            return _next(payment, now, status=PaymentStatus.AUTHORIZED, customer_id=customer_id, failure_code=None)
        case _:
            assert_never(payment.capture)


def confirmed_for_review(
    payment: Payment, *, customer_id: UserId, rule: str, review_seconds: int, now: datetime
) -> Payment:
    """Confirm a request whose money is held until an operator has approved it, as `to_be_reviewed`.

    Raises:
        PaymentStateInvalid, PaymentExpired: It does not wait for a confirmation.
    """
    must_allow(payment, PaymentAction.CONFIRM, now)
    manual = payment.capture is CaptureMethod.MANUAL
    return _next(
        payment,
        now,
        status=PaymentStatus.REQUIRES_REVIEW,
        customer_id=customer_id,
        failure_code=rule,
        expires_at=payment.expires_at if manual else now + timedelta(seconds=review_seconds),
    )


class Approval(NamedTuple):
    """The payment after its review, and the amounts captured and charged as a fee, in minor units."""

    payment: Payment
    captured_minor: int
    fee_minor: int


def approve(payment: Payment, *, fees: FeeSchedule, now: datetime) -> Approval:
    """Approve a payment: it goes on as if no rule had sent it to a review. A hold expires when it would have.

    Raises:
        PaymentStateInvalid, PaymentExpired: It does not wait for a review.
    """
    must_allow(payment, PaymentAction.APPROVE, now)
    if payment.capture is CaptureMethod.MANUAL:
        return Approval(_next(payment, now, status=PaymentStatus.AUTHORIZED, failure_code=None), 0, 0)
    amount = payment.amount.amount_minor
    fee = fees.fee_on(amount)
    after = _next(
        payment,
        now,
        status=PaymentStatus.CAPTURED,
        amount_captured_minor=amount,
        fee_amount_minor=fee,
        failure_code=None,
        expires_at=None,
    )
    return Approval(after, amount, fee)


def decline(payment: Payment, *, now: datetime) -> "PaymentEnding":
    """Decline a payment: it is canceled, with the failure code `REVIEW_DECLINED`.

    Raises:
        PaymentStateInvalid, PaymentExpired: It does not wait for a review.
    """
    must_allow(payment, PaymentAction.DECLINE, now)
    after = _next(payment, now, status=PaymentStatus.CANCELED, failure_code=REVIEW_DECLINED)
    return PaymentEnding(after, payment.amount_held_minor)


def confirmation_failed(payment: Payment, *, failure_code: str, now: datetime) -> Payment:
    """Record that a confirmation lacked funds. The request can still be confirmed.

    A request to no particular customer stays open to every customer.

    Raises:
        PaymentStateInvalid, PaymentExpired: It does not wait for a confirmation.
    """
    must_allow(payment, PaymentAction.CONFIRM, now)
    return _next(payment, now, failure_code=failure_code)


class Capture(NamedTuple):
    """The payment after a capture, and the amounts captured, released and charged as a fee, in minor units."""

    payment: Payment
    captured_minor: int
    released_minor: int
    fee_minor: int


def capture_hold(
    payment: Payment, *, amount_minor: int | None, final: bool, fees: FeeSchedule, now: datetime
) -> Capture:
    """Capture held money: `amount_minor` (≥ 1), or all that is left. The `final` capture releases the rest.

    Raises:
        InvalidInput: `amount_minor` is not an amount.
        PaymentStateInvalid, PaymentExpired: There is no hold.
        CaptureAmountExceedsAuthorized: Less is left.
        CaptureLimitReached: `CAPTURES_MAX` were made.
    """
    if amount_minor is not None:
        check_amount("amount_minor", amount_minor)
    must_allow(payment, PaymentAction.CAPTURE, now)
    left = payment.amount_held_minor
    part = left if amount_minor is None else amount_minor
    if part > left:
        raise CaptureAmountExceedsAuthorized("That is more than is left to capture.", remaining=left)
    if payment.captures >= CAPTURES_MAX:
        raise CaptureLimitReached(f"A payment has at most {CAPTURES_MAX} captures.")
    fee = fee_on_capture(
        fees,
        captured_before_minor=payment.amount_captured_minor,
        part_minor=part,
        charged_minor=payment.fee_amount_minor + payment.fee_refunded_minor,
    )
    goes_on = part < left and not final
    after = _next(
        payment,
        now,
        status=PaymentStatus.PARTIALLY_CAPTURED if goes_on else PaymentStatus.CAPTURED,
        amount_captured_minor=payment.amount_captured_minor + part,
        fee_amount_minor=payment.fee_amount_minor + fee,
        captures=payment.captures + 1,
    )
    return Capture(after, part, 0 if goes_on else left - part, fee)


class PaymentEnding(NamedTuple):
    """The payment after its hold or its request ended, and the amount released, in minor units."""

    payment: Payment
    released_minor: int


def cancel(payment: Payment, *, now: datetime) -> PaymentEnding:
    """Cancel a payment. A partially captured one becomes captured.

    Raises:
        PaymentStateInvalid, PaymentExpired: It has ended already.
    """
    must_allow(payment, PaymentAction.CANCEL, now)
    partly = payment.status is PaymentStatus.PARTIALLY_CAPTURED
    status = PaymentStatus.CAPTURED if partly else PaymentStatus.CANCELED
    failure_code = None if payment.status is PaymentStatus.REQUIRES_REVIEW else payment.failure_code
    after = _next(payment, now, status=status, failure_code=failure_code)
    return PaymentEnding(after, payment.amount_held_minor)


def expire(payment: Payment, *, now: datetime) -> PaymentEnding:
    """Expire a payment.

    Raises:
        PaymentStateInvalid, PaymentExpired: It has ended already.
        PaymentNotDue: It has not expired.
    """
    if payment.status not in UNFINISHED:
        raise state_refusal(payment)
    if payment.status_at(now) is payment.status:
        raise PaymentNotDue("The payment's time is not over yet.")
    current = payment.at(now)
    after = _next(payment, now, status=current.status, failure_code=current.failure_code)
    return PaymentEnding(after, payment.amount_held_minor)


class Refunded(NamedTuple):
    """The payment after a refund, the amount for the customer and the fee for the merchant, in minor units."""

    payment: Payment
    amount_minor: int
    fee_minor: int


def refund(
    payment: Payment, *, amount_minor: int | None, refund_fee: bool, now: datetime, until: datetime | None = None
) -> Refunded:
    """Refund captured money: `amount_minor` (≥ 1), or all that is left; with its share of the fee, or without.

    Raises:
        InvalidInput: `amount_minor` is not an amount.
        PaymentNotRefundable: Nothing was captured, or `now` has reached `until`.
        RefundAmountExceedsRemaining: Less is left.
        RefundLimitReached: `REFUNDS_MAX` were made.
    """
    if amount_minor is not None:
        check_amount("amount_minor", amount_minor)
    if payment.amount_captured_minor == 0:
        raise PaymentNotRefundable("Nothing of this payment was captured.", **_state_facts(payment.at(now)))
    if until is not None and now >= until:
        raise PaymentNotRefundable(
            "The time in which this payment across currencies could be refunded is over.",
            **_state_facts(payment.at(now)),
        )
    left = payment.amount_refundable_minor
    part = left if amount_minor is None else amount_minor
    if part > left or left == 0:
        raise RefundAmountExceedsRemaining("That is more than is left to refund.", remaining=left)
    if payment.refunds >= REFUNDS_MAX:
        raise RefundLimitReached(f"A payment has at most {REFUNDS_MAX} refunds.")
    with_fee = payment.amount_refunded_with_fee_minor + (part if refund_fee else 0)
    share = 0
    if refund_fee:
        share = fee_share_of_refund(
            part_minor=part,
            charged_minor=payment.fee_amount_minor + payment.fee_refunded_minor,
            returned_minor=payment.fee_refunded_minor,
            refunded_with_fee_minor=with_fee,
            captured_minor=payment.amount_captured_minor,
        )
    after = _next(
        payment,
        now,
        amount_refunded_minor=payment.amount_refunded_minor + part,
        fee_amount_minor=payment.fee_amount_minor - share,
        fee_refunded_minor=payment.fee_refunded_minor + share,
        amount_refunded_with_fee_minor=with_fee,
        refunds=payment.refunds + 1,
    )
    return Refunded(after, part, share)


def must_allow(payment: Payment, action: PaymentAction, now: datetime) -> None:
    """Check that a payment allows an action now.

    Raises:
        PaymentExpired: It has expired.
        PaymentStateInvalid: Its status does not allow the action.
    """
    current = payment.at(now)
    if action not in current.allowed_actions:
        raise state_refusal(current)


def state_refusal(current: Payment) -> PaymentExpired | PaymentStateInvalid:
    """The refusal of an action that the status of a payment does not allow."""
    if current.status is PaymentStatus.EXPIRED:
        return PaymentExpired("The payment's time is over.", **_state_facts(current))
    return PaymentStateInvalid(f"The payment is {current.status}.", **_state_facts(current))


def _state_facts(payment: Payment) -> dict[str, object]:
    actions = [action.value for action in payment.allowed_actions]
    return {"current_status": payment.status.value, "allowed_actions": actions}


def _next(payment: Payment, now: datetime, **changes: object) -> Payment:
    """The next version. A payment that ends without money releases its reference."""
    # The clock of the server that wrote the version before may be ahead.
    updated_at = max(now, payment.updated_at)
    if changes.get("status") in ENDED_WITHOUT_MONEY:
        changes["reference_held_by"] = None
    return replace(payment, version=payment.version + 1, updated_at=updated_at, **changes)  # type: ignore[arg-type]  # mypy cannot tell which.
