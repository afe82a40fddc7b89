"""Payments, as clients see them."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from gateway.application.views.times import Instant
from gateway.domain.payment import CaptureMethod, Payment
from gateway.domain.payment_status import PaymentAction, PaymentStatus


class PaymentView(msgspec.Struct, frozen=True, kw_only=True):
    """A payment."""

    id: str
    object: Literal["payment"] = "payment"
    status: PaymentStatus
    amount: int
    currency: str
    amount_capturable: int
    amount_captured: int
    amount_refunded: int
    fee_amount: int
    net_amount: int
    capture: CaptureMethod
    customer_id: str | None
    merchant_id: str
    reference: str | None
    description: str | None
    metadata: Mapping[str, str]
    expires_at: Instant | None
    failure_code: str | None
    version: int
    created_at: Instant
    updated_at: Instant
    allowed_actions: list[PaymentAction]
    quote_id: str | None


def payment_view(payment: Payment) -> PaymentView:
    """A payment as clients see it."""
    return PaymentView(
        id=payment.id,
        status=payment.status,
        amount=payment.amount.amount_minor,
        currency=payment.amount.currency,
        amount_capturable=payment.amount_capturable_minor,
        amount_captured=payment.amount_captured_minor,
        amount_refunded=payment.amount_refunded_minor,
        fee_amount=payment.fee_amount_minor,
        net_amount=payment.net_amount_minor,
        capture=payment.capture,
        customer_id=payment.customer_id,
        merchant_id=payment.merchant_id,
        reference=payment.reference,
        description=payment.description,
        metadata=payment.metadata,
        expires_at=payment.expires_at,
        failure_code=payment.failure_code,
        version=payment.version,
        created_at=payment.created_at,
        updated_at=payment.updated_at,
        allowed_actions=list(payment.allowed_actions),
        quote_id=payment.quote_id,
    )
