"""Refund: captured money that was returned to the customer."""

from datetime import datetime
from typing import NewType

from gateway.domain.immutable import immutable
from gateway.domain.money import Money
from gateway.domain.payment import PaymentId
from gateway.domain.transaction import TransactionId

RefundId = NewType("RefundId", str)


@immutable
class Refund:
    """One refund of a payment. `fee_refunded_minor` is the part of the fee that was returned to the merchant."""

    id: RefundId
    payment_id: PaymentId
    transaction_id: TransactionId
    amount: Money
    fee_refunded_minor: int
    reason: str | None
    created_at: datetime
