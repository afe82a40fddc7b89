"""New payments: paid at once, authorized, requested, to be reviewed or failed."""

from datetime import datetime, timedelta

from gateway.domain.payment import CaptureMethod, Payment, PaymentId, QuoteId
from gateway.domain.payment_status import ENDED_WITHOUT_MONEY, PaymentStatus
from gateway.domain.payment_terms import PaymentOrder, PaymentRequest


def paid_at_once(order: PaymentOrder, *, payment_id: PaymentId, now: datetime, fee_minor: int = 0) -> Payment:
    """A payment that moves its money at once (`capture=automatic`)."""
    return _first(
        order,
        PaymentStatus.CAPTURED,
        payment_id=payment_id,
        fee_minor=fee_minor,
        quote_id=order.quote_id,
        now=now,
    )


def authorized(order: PaymentOrder, *, payment_id: PaymentId, now: datetime) -> Payment:
    """A payment that holds its money (`capture=manual`)."""
    return _first(order, PaymentStatus.AUTHORIZED, payment_id=payment_id, expires_at=order.expires_at(now), now=now)


def to_be_reviewed(
    order: PaymentOrder, *, payment_id: PaymentId, rule: str, review_seconds: int, now: datetime
) -> Payment:
    """A payment that holds its money until an operator has approved it. `rule` is the rule that asks for the review.

    It waits for `review_seconds`, or for as long as the hold that it is to become.
    """
    end = order.expires_at(now) if order.capture is CaptureMethod.MANUAL else now + timedelta(seconds=review_seconds)
    return _first(
        order, PaymentStatus.REQUIRES_REVIEW, payment_id=payment_id, expires_at=end, failure_code=rule, now=now
    )


def requested(request: PaymentRequest, *, payment_id: PaymentId, now: datetime) -> Payment:
    """A payment that waits for a customer to confirm it."""
    return _first(
        request,
        PaymentStatus.REQUIRES_CONFIRMATION,
        payment_id=payment_id,
        expires_at=request.expires_at(now),
        now=now,
    )


def failed(order: PaymentOrder, *, payment_id: PaymentId, failure_code: str, now: datetime) -> Payment:
    """A payment that was refused for lack of funds. It is stored, so that both parties can see the attempt.

    It has no quote: the quote was not used, and another payment may use it.
    """
    return _first(order, PaymentStatus.FAILED, payment_id=payment_id, failure_code=failure_code, now=now)


def _first(
    terms: PaymentOrder | PaymentRequest,
    status: PaymentStatus,
    *,
    payment_id: PaymentId,
    fee_minor: int = 0,
    expires_at: datetime | None = None,
    failure_code: str | None = None,
    quote_id: QuoteId | None = None,
    now: datetime,
) -> Payment:
    holds_reference = terms.reference is not None and status not in ENDED_WITHOUT_MONEY
    return Payment(
        id=payment_id,
        status=status,
        amount=terms.amount,
        capture=terms.capture,
        customer_id=terms.customer_id,
        merchant_id=terms.merchant_id,
        amount_captured_minor=terms.amount.amount_minor if status is PaymentStatus.CAPTURED else 0,
        amount_refunded_minor=0,
        fee_amount_minor=fee_minor,
        reference=terms.reference,
        description=terms.description,
        metadata=terms.metadata,
        expires_at=expires_at,
        failure_code=failure_code,
        version=1,
        created_at=now,
        updated_at=now,
        quote_id=quote_id,
        reference_held_by=terms.reference_given_by if holds_reference else None,
    )
