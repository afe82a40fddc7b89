"""Payments and refunds as rows."""

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.adapters.sql.rows.values import Values
from gateway.adapters.sql.tables.ledger import payments
from gateway.adapters.sql.types import Found
from gateway.domain.metadata import NO_METADATA, Metadata
from gateway.domain.money import Money
from gateway.domain.payment import CaptureMethod, Payment
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.refund import Refund

PAYMENT_CHANGES: Final = (
    payments.c.id,
    payments.c.status,
    payments.c.customer_id,
    payments.c.amount_captured,
    payments.c.amount_refunded,
    payments.c.fee_amount,
    payments.c.expires_at,
    payments.c.failure_code,
    payments.c.version,
    payments.c.updated_at,
    payments.c.fee_refunded,
    payments.c.amount_refunded_with_fee,
    payments.c.captures,
    payments.c.refunds,
    payments.c.quote_id,
    payments.c.reference_held_by,
)
"""The columns of `payment_changes`, likewise."""

PAYMENT_STATUSES: Final = {status.value: status for status in PaymentStatus}

CAPTURE_METHODS: Final = {method.value: method for method in CaptureMethod}

_encode: Final = msgspec.json.Encoder().encode

_decode_metadata: Final = msgspec.json.Decoder(dict[str, str]).decode


def payment_values(payment: Payment) -> Values:
    """The row of a payment."""
    return (
        payment.id,
        payment.status.value,
        payment.amount.amount_minor,
        payment.amount.currency,
        payment.capture.value,
        payment.customer_id,
        payment.merchant_id,
        payment.amount_captured_minor,
        payment.amount_refunded_minor,
        payment.fee_amount_minor,
        payment.reference,
        payment.description,
        _metadata_text(payment.metadata),
        payment.expires_at,
        payment.failure_code,
        payment.version,
        payment.created_at,
        payment.updated_at,
        payment.fee_refunded_minor,
        payment.amount_refunded_with_fee_minor,
        payment.captures,
        payment.refunds,
        payment.quote_id,
        payment.reference_held_by,
    )


def payment_changes(payment: Payment) -> Values:
    """What changes of a payment: the values of `PAYMENT_CHANGES`."""
    return (
        payment.id,
        payment.status.value,
        payment.customer_id,
        payment.amount_captured_minor,
        payment.amount_refunded_minor,
        payment.fee_amount_minor,
        payment.expires_at,
        payment.failure_code,
        payment.version,
        payment.updated_at,
        payment.fee_refunded_minor,
        payment.amount_refunded_with_fee_minor,
        payment.captures,
        payment.refunds,
        payment.quote_id,
        payment.reference_held_by,
    )


def to_payment(row: Found) -> Payment:
    """The payment of a row."""
    return Payment(
        id=row[0],
        status=PAYMENT_STATUSES[row[1]],
        amount=Money(row[2], row[3]),
        capture=CAPTURE_METHODS[row[4]],
        customer_id=row[5],
        merchant_id=row[6],
        amount_captured_minor=row[7],
        amount_refunded_minor=row[8],
        fee_amount_minor=row[9],
        reference=row[10],
        description=row[11],
        metadata=_metadata(row[12]),
        expires_at=row[13],
        failure_code=row[14],
        version=row[15],
        created_at=row[16],
        updated_at=row[17],
        fee_refunded_minor=row[18],
        amount_refunded_with_fee_minor=row[19],
        captures=row[20],
        refunds=row[21],
        quote_id=row[22],
        reference_held_by=row[23],
    )


def refund_values(refund: Refund) -> Values:
    """The row of a refund."""
    return (
        refund.id,
        refund.payment_id,
        refund.transaction_id,
        refund.amount.amount_minor,
        refund.amount.currency,
        refund.fee_refunded_minor,
        refund.reason,
        refund.created_at,
    )


def to_refund(row: Found) -> Refund:
    """The refund of a row."""
    return Refund(
        id=row[0],
        payment_id=row[1],
        transaction_id=row[2],
        amount=Money(row[3], row[4]),
        fee_refunded_minor=row[5],
        reason=row[6],
        created_at=row[7],
    )


def _metadata(text: str) -> Metadata:
    return NO_METADATA if text == "{}" else Metadata(_decode_metadata(text))


def _metadata_text(metadata: Mapping[str, str]) -> str:
    return _encode(metadata).decode() if metadata else "{}"
