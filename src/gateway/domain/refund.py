"""Refund: captured money that went back to the customer."""

from datetime import datetime
from typing import NewType

from gateway.domain.money import Money
from gateway.domain.payment import PaymentId
from gateway.domain.transaction import TransactionId
from gateway.domain.value import value

RefundId = NewType("RefundId", str)


@value
class Refund:
    """One of a payment's refunds. `fee_refunded_minor` is what the merchant got back of the fee."""

    id: RefundId
    payment_id: PaymentId
    transaction_id: TransactionId
    amount: Money
    fee_refunded_minor: int
    reason: str | None
    created_at: datetime
