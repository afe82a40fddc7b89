"""Payment: its states, and what each allows."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, NewType

from gateway.domain.money import Money
from gateway.domain.user import UserId
from gateway.domain.value import value

PaymentId = NewType("PaymentId", str)


class PaymentStatus(StrEnum):
    """Where a payment stands. Both are final: nothing leads out of them but refunds, which are no state."""

    CAPTURED = "captured"
    FAILED = "failed"


class CaptureMethod(StrEnum):
    """When the merchant gets the money: with the payment, or when they ask for it."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


class MerchantReference(NamedTuple):
    """A merchant's own name for a payment; unique per merchant."""

    merchant_id: UserId
    reference: str


@value
class Payment:
    """A customer's promise to a merchant, and what became of it. Amounts are minor units of the payment's currency.

    `amount.amount_minor ≥ amount_captured_minor ≥ amount_refunded_minor ≥ 0`, and `version` rises by 1 at each change.
    """

    id: PaymentId
    status: PaymentStatus
    amount: Money
    capture: CaptureMethod
    customer_id: UserId
    merchant_id: UserId
    amount_captured_minor: int
    amount_refunded_minor: int
    fee_amount_minor: int
    reference: str | None
    description: str | None
    metadata: Mapping[str, str]
    expires_at: datetime | None
    failure_code: str | None
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def amount_capturable_minor(self) -> int:
        """What the merchant may still take. A final payment has nothing left."""
        return 0

    @property
    def net_amount_minor(self) -> int:
        """What the merchant keeps: captured less refunded less fees."""
        return self.amount_captured_minor - self.amount_refunded_minor - self.fee_amount_minor


@value
class PaymentOrder:
    """What a customer asks for when they pay: everything about a payment that does not change later."""

    customer_id: UserId
    merchant_id: UserId
    amount: Money
    reference: str | None = None
    description: str | None = None
    metadata: Mapping[str, str]


def paid_at_once(order: PaymentOrder, *, payment_id: PaymentId, now: datetime) -> Payment:
    """The payment whose money has moved with it (`capture=automatic`)."""
    return _first(order, PaymentStatus.CAPTURED, payment_id=payment_id, failure_code=None, now=now)


def failed(order: PaymentOrder, *, payment_id: PaymentId, failure_code: str, now: datetime) -> Payment:
    """The payment that was refused for lack of funds: kept, so that both parties can see that it was tried."""
    return _first(order, PaymentStatus.FAILED, payment_id=payment_id, failure_code=failure_code, now=now)


def _first(
    order: PaymentOrder, status: PaymentStatus, *, payment_id: PaymentId, failure_code: str | None, now: datetime
) -> Payment:
    return Payment(
        id=payment_id,
        status=status,
        amount=order.amount,
        capture=CaptureMethod.AUTOMATIC,
        customer_id=order.customer_id,
        merchant_id=order.merchant_id,
        amount_captured_minor=order.amount.amount_minor if status is PaymentStatus.CAPTURED else 0,
        amount_refunded_minor=0,
        fee_amount_minor=0,
        reference=order.reference,
        description=order.description,
        metadata=order.metadata,
        expires_at=None,
        failure_code=failure_code,
        version=1,
        created_at=now,
        updated_at=now,
    )
