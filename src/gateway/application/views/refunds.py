"""Refunds, as clients see them."""

from typing import Literal

import msgspec

from gateway.application.views.times import Instant
from gateway.domain.refund import Refund


class RefundView(msgspec.Struct, frozen=True, kw_only=True):
    """A refund. `fee_refunded` is the share of the fee that the merchant got back."""

    id: str
    object: Literal["refund"] = "refund"
    payment_id: str
    transaction_id: str
    amount: int
    currency: str
    fee_refunded: int
    status: Literal["succeeded"] = "succeeded"
    reason: str | None
    created_at: Instant


def refund_view(refund: Refund) -> RefundView:
    """A refund as clients see it."""
    return RefundView(
        id=refund.id,
        payment_id=refund.payment_id,
        transaction_id=refund.transaction_id,
        amount=refund.amount.amount_minor,
        currency=refund.amount.currency,
        fee_refunded=refund.fee_refunded_minor,
        reason=refund.reason,
        created_at=refund.created_at,
    )
