"""Payments."""

from typing import Any, ClassVar, Final

import msgspec

from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.field_errors import FieldErrors, error_at
from gateway.adapters.http.lists import listing
from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import (
    AnyOperation,
    Body,
    Idempotency,
    ListView,
    Operation,
    json_response,
)
from gateway.adapters.http.problems import invalid_request
from gateway.adapters.http.resources.fields import (
    Amount,
    CreatedQuery,
    CurrencyText,
    Description,
    ExpiresInSeconds,
    IdText,
    Metadata,
    Reference,
)
from gateway.adapters.http.submissions import submitting
from gateway.application.commands.pay import ChargeCustomer, Pay
from gateway.application.commands.request_payment import RequestPayment
from gateway.application.commands.shared.payments import PaymentResult
from gateway.application.engine.command import Command
from gateway.application.ports.reader import PaymentFilter
from gateway.application.queries import Page
from gateway.application.views.payments import PaymentView, payment_view
from gateway.domain.money import Money, currency_code
from gateway.domain.payment import CaptureMethod, Payment, PaymentId, QuoteId
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.payment_terms import PaymentOrder, PaymentRequest
from gateway.domain.user import Role, UserId

TAG = "Payments"


class PaymentBody(Body, frozen=True, kw_only=True):
    """How much, and between whom: a customer names the merchant; a merchant may name the customer, or leave it open.

    A customer whom the merchant manages pays at once; others are asked to confirm the payment.

    With a `quote_id`, the customer pays in another currency; the amount is what the merchant gets, the quote's target.
    """

    texts_checked_with_form: ClassVar = False  # The rules check the texts, also of items in a batch.

    amount: Amount
    currency: CurrencyText
    merchant_id: IdText[UserId] | None = None
    customer_id: IdText[UserId] | None = None
    capture: CaptureMethod = CaptureMethod.AUTOMATIC
    expires_in_seconds: ExpiresInSeconds | None = None
    reference: Reference | None = None
    description: Description | None = None
    metadata: Metadata = msgspec.field(default_factory=dict)
    quote_id: IdText[QuoteId] | None = None


FIELDS_OF_ROLES: Final = {
    Role.CUSTOMER: (
        ("merchant_id", True, error_at("/merchant_id", "field_missing", "This field is required.")),
        ("customer_id", False, error_at("/customer_id", "field_unknown", "A customer pays for themselves.")),
    ),
    Role.MERCHANT: (
        ("merchant_id", False, error_at("/merchant_id", "field_unknown", "A merchant asks for themselves.")),
        ("quote_id", False, error_at("/quote_id", "field_unknown", "A quote is its customer's, who confirms with it.")),
    ),
    Role.OPERATOR: (
        ("customer_id", True, error_at("/customer_id", "field_missing", "Say who pays.")),
        ("merchant_id", True, error_at("/merchant_id", "field_missing", "This field is required.")),
    ),
}
"""The fields that depend on the role: name, whether it must be present (else absent), and the error otherwise."""


class PaymentsQuery(CreatedQuery, frozen=True, kw_only=True):
    """Which payments."""

    status: PaymentStatus | None = None
    currency: CurrencyText | None = None
    merchant_id: IdText[UserId] | None = None
    customer_id: IdText[UserId] | None = None
    reference: Reference | None = None


def to_pay_or_request(request: Request[PaymentBody]) -> Command[Any]:
    """A payment by a customer, or what a merchant asks for."""
    body = request.body
    caller = request.caller
    if errors := errors_for(caller.role, body):
        raise invalid_request(errors)
    return to_request(body, caller.user_id) if caller.role is Role.MERCHANT else to_pay(body, caller.user_id)


def errors_for(role: Role, body: PaymentBody) -> FieldErrors:
    """The errors of fields that depend on the role of the caller: the form is the same for all."""
    errors: FieldErrors = []
    for name, required, error in FIELDS_OF_ROLES[role]:
        if (getattr(body, name) is not None) is not required:
            errors.append(error)
    return errors


def to_pay(body: PaymentBody, customer_id: UserId) -> Pay:
    """A payment by a customer."""
    return Pay(
        order=PaymentOrder(
            customer_id=customer_id,
            merchant_id=body.merchant_id or UserId(""),
            amount=Money(body.amount, currency_code(body.currency)),
            reference=body.reference,
            description=body.description,
            metadata=body.metadata,
            capture=body.capture,
            expires_in_seconds=body.expires_in_seconds,
            quote_id=body.quote_id,
        )
    )


def to_request(body: PaymentBody, merchant_id: UserId) -> RequestPayment | ChargeCustomer:
    """A request by a merchant, or a payment of a customer whom the merchant manages."""
    request = PaymentRequest(
        merchant_id=merchant_id,
        customer_id=body.customer_id,
        amount=Money(body.amount, currency_code(body.currency)),
        reference=body.reference,
        description=body.description,
        metadata=body.metadata,
        capture=body.capture,
        expires_in_seconds=body.expires_in_seconds,
    )
    return RequestPayment(request=request) if body.customer_id is None else ChargeCustomer(request=request)


def to_payment_view(result: PaymentResult | Payment) -> PaymentView:
    """The view of the payment of a command's result."""
    return payment_view(payment_of(result))


def payment_of(result: PaymentResult | Payment) -> Payment:
    """The payment of a command's result."""
    return result if isinstance(result, Payment) else result.payment


async def get_payment(request: Request) -> Response:
    """Show a payment."""
    payment = await request.gateway.queries.payment(request.caller, PaymentId(request.path_ids["payment_id"]))
    return json_response(200, payment_view(payment))


async def find_payments(request: Request[None, PaymentsQuery], before: PaymentId | None) -> Page[PaymentView]:
    """A page of payments."""
    query = request.query
    where = PaymentFilter(
        status=query.status,
        currency=None if query.currency is None else currency_code(query.currency),
        merchant_id=query.merchant_id,
        customer_id=query.customer_id,
        reference=query.reference,
        created_after=query.created_after,
        created_before=query.created_before,
    )
    page = await request.gateway.queries.payments(request.caller, where, before=before, limit=query.limit)
    return page.map(payment_view)


EXAMPLE_PAYMENT: Final[dict[str, Any]] = {
    "id": "pay_01kc3x0m5fe7v8qj2r4n6p9ste",
    "object": "payment",
    "status": "captured",
    "amount": 1050,
    "currency": "USD",
    "amount_capturable": 0,
    "amount_captured": 1050,
    "amount_refunded": 0,
    "fee_amount": 0,
    "net_amount": 1050,
    "capture": "automatic",
    "customer_id": "usr_01kc3x0m5fe7v8qj2r4n6p9sta",
    "merchant_id": "usr_01kc3x0m5fe7v8qj2r4n6p9stf",
    "reference": "order-1001",
    "description": "Two coffees",
    "metadata": {},
    "expires_at": None,
    "failure_code": None,
    "version": 1,
    "created_at": "2026-01-02T03:04:05.678901Z",
    "updated_at": "2026-01-02T03:04:05.678901Z",
    "allowed_actions": ["refund"],
    "quote_id": None,
}

PAYMENT_EXAMPLE: Final[dict[str, Any]] = {
    "merchant_id": EXAMPLE_PAYMENT["merchant_id"],
    "amount": 1050,
    "currency": "USD",
    "reference": "order-1001",
    "description": "Two coffees",
}
EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "payment": PAYMENT_EXAMPLE,
    "large": {**PAYMENT_EXAMPLE, "amount": 40_000, "reference": "order-1004", "description": "Coffee for a wedding"},
    "hold": {**PAYMENT_EXAMPLE, "capture": "manual", "reference": "order-1002"},
    "request": {"amount": 1050, "currency": "USD", "reference": "order-1003", "description": "Two coffees"},
}
"""Bodies of customers, and for `request` of merchants."""

QUOTE_CODES: Final = ("quote_not_found", "quote_expired", "quote_used", "quote_amount_mismatch")
"""The refusals because of the payment's quote."""


def operations(cursors: Cursors) -> tuple[AnyOperation, ...]:
    """The operations on payments."""
    return (
        Operation(
            method="POST",
            path="/payments",
            name="createPayment",
            tag=TAG,
            summary="Pay a merchant, at once or with a hold (`capture=manual`); as a merchant, ask to be paid",
            handler=submitting(to_pay_or_request, to_payment_view, record_of=payment_of),
            status=201,
            body=PaymentBody,
            result=PaymentView,
            idempotency=Idempotency.REQUIRED,
            codes=(
                "insufficient_funds",
                "account_frozen",
                "account_closed",
                "limit_exceeded",
                "merchant_not_found",
                "user_not_found",
                "currency_mismatch",
                "unknown_currency",
                "same_account",
                "duplicate_reference",
                "balance_overflow",
                *QUOTE_CODES,
            ),
            examples=EXAMPLES,
            example_result=EXAMPLE_PAYMENT,
        ),
        Operation(
            method="GET",
            path="/payments",
            name="listPayments",
            tag=TAG,
            summary="List the payments that the caller is a party to; an operator sees all",
            handler=listing(cursors, find_payments),
            query=PaymentsQuery,
            result=ListView[PaymentView],
            codes=("cursor_invalid", "cursor_filter_mismatch", "unknown_currency"),
            example_result={"object": "list", "data": [EXAMPLE_PAYMENT], "has_more": False, "next_cursor": None},
        ),
        Operation(
            method="GET",
            path="/payments/{payment_id}",
            name="getPayment",
            tag=TAG,
            summary="Show a payment",
            handler=get_payment,
            result=PaymentView,
            codes=("payment_not_found",),
            example_result=EXAMPLE_PAYMENT,
        ),
    )
