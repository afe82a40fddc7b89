"""Actions on a payment: confirm, approve, decline, capture, cancel."""

from gateway.adapters.http.messages import Request
from gateway.adapters.http.operations import Body, Idempotency, NoFields, Operation
from gateway.adapters.http.resources.fields import Amount, IdText, Reason
from gateway.adapters.http.resources.payments import EXAMPLE_PAYMENT, QUOTE_CODES, TAG, payment_of, to_payment_view
from gateway.adapters.http.submissions import submitting
from gateway.application.commands.cancel_payment import CancelPayment
from gateway.application.commands.capture_payment import CapturePayment
from gateway.application.commands.confirm_payment import ConfirmPayment
from gateway.application.commands.review_payment import ApprovePayment, DeclinePayment
from gateway.application.views.payments import PaymentView
from gateway.domain.payment import PaymentId, QuoteId


class ConfirmBody(Body, frozen=True, kw_only=True):
    """With which quote, if the customer pays in another currency."""

    quote_id: IdText[QuoteId] | None = None


class CaptureBody(Body, frozen=True, kw_only=True):
    """How much, all that is left unless given; and whether the rest goes back to the customer."""

    amount: Amount | None = None
    final: bool = True


def to_confirm(request: Request[ConfirmBody]) -> ConfirmPayment:
    """The caller confirms a merchant's request."""
    body = request.body
    return ConfirmPayment(
        payment_id=PaymentId(request.path_ids["payment_id"]),
        customer_id=request.caller.user_id,
        quote_id=body.quote_id,
    )


class ReviewBody(Body, frozen=True, kw_only=True):
    """Why."""

    reason: Reason


def to_approve(request: Request[ReviewBody]) -> ApprovePayment:
    """The caller approves a payment."""
    return ApprovePayment(payment_id=PaymentId(request.path_ids["payment_id"]), reason=request.body.reason)


def to_decline(request: Request[ReviewBody]) -> DeclinePayment:
    """The caller declines a payment."""
    return DeclinePayment(payment_id=PaymentId(request.path_ids["payment_id"]), reason=request.body.reason)


def to_capture(request: Request[CaptureBody]) -> CapturePayment:
    """The caller captures held money."""
    body = request.body
    return CapturePayment(
        payment_id=PaymentId(request.path_ids["payment_id"]),
        merchant_id=request.caller.user_id,
        amount_minor=body.amount,
        final=body.final,
    )


def to_cancel(request: Request[NoFields]) -> CancelPayment:
    """The caller cancels a payment."""
    return CancelPayment(payment_id=PaymentId(request.path_ids["payment_id"]), by=request.caller.user_id)


CONFIRM = Operation(
    method="POST",
    path="/payments/{payment_id}/confirm",
    name="confirmPayment",
    tag=TAG,
    summary="Pay what a merchant asked for",
    handler=submitting(to_confirm, to_payment_view, record_of=payment_of),
    body=ConfirmBody,
    result=PaymentView,
    idempotency=Idempotency.REQUIRED,
    codes=(
        "payment_not_found",
        "payment_state_invalid",
        "payment_expired",
        "insufficient_funds",
        "account_frozen",
        "account_closed",
        "limit_exceeded",
        "currency_mismatch",
        "balance_overflow",
        *QUOTE_CODES,
    ),
    examples={"own_currency": {}, "quote": {"quote_id": "quo_01kc3x0m5fe7v8qj2r4n6p9stj"}},
    example_result={**EXAMPLE_PAYMENT, "version": 2, "quote_id": "quo_01kc3x0m5fe7v8qj2r4n6p9stj"},
)
APPROVE = Operation(
    method="POST",
    path="/payments/{payment_id}/approve",
    name="approvePayment",
    tag=TAG,
    summary="Let a payment go on that waits for a review",
    handler=submitting(to_approve, to_payment_view, record_of=payment_of),
    body=ReviewBody,
    result=PaymentView,
    idempotency=Idempotency.REQUIRED,
    codes=("payment_not_found", "payment_state_invalid", "payment_expired", "account_frozen", "balance_overflow"),
    example={"reason": "The customer was called"},
    example_result={**EXAMPLE_PAYMENT, "version": 2},
)
DECLINE = Operation(
    method="POST",
    path="/payments/{payment_id}/decline",
    name="declinePayment",
    tag=TAG,
    summary="Cancel a payment that waits for a review, and give back what is held",
    handler=submitting(to_decline, to_payment_view, record_of=payment_of),
    body=ReviewBody,
    result=PaymentView,
    idempotency=Idempotency.REQUIRED,
    codes=("payment_not_found", "payment_state_invalid", "payment_expired"),
    example={"reason": "The customer does not know of it"},
    example_result={
        **EXAMPLE_PAYMENT,
        "status": "canceled",
        "amount_captured": 0,
        "net_amount": 0,
        "failure_code": "review_declined",
        "version": 2,
        "allowed_actions": [],
    },
)
CAPTURE = Operation(
    method="POST",
    path="/payments/{payment_id}/capture",
    name="capturePayment",
    tag=TAG,
    summary="Take what is held, whole or in parts; the rest goes back after the `final` capture",
    handler=submitting(to_capture, to_payment_view, record_of=payment_of),
    body=CaptureBody,
    result=PaymentView,
    idempotency=Idempotency.REQUIRED,
    codes=(
        "payment_not_found",
        "payment_state_invalid",
        "payment_expired",
        "capture_amount_exceeds_authorized",
        "capture_limit_reached",
        "account_frozen",
        "balance_overflow",
    ),
    example={"amount": 1050},
    example_result={**EXAMPLE_PAYMENT, "capture": "manual", "version": 2},
)
CANCEL = Operation(
    method="POST",
    path="/payments/{payment_id}/cancel",
    name="cancelPayment",
    tag=TAG,
    summary="Give back what is held; before it was confirmed, its customer may cancel too",
    handler=submitting(to_cancel, to_payment_view, record_of=payment_of),
    body=NoFields,
    result=PaymentView,
    idempotency=Idempotency.REQUIRED,
    codes=("payment_not_found", "payment_state_invalid", "payment_expired"),
    example_result={
        **EXAMPLE_PAYMENT,
        "status": "canceled",
        "amount_captured": 0,
        "net_amount": 0,
        "capture": "manual",
        "version": 2,
        "allowed_actions": [],
    },
)
OPERATIONS = (CONFIRM, APPROVE, DECLINE, CAPTURE, CANCEL)
