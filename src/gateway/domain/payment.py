"""Payment: the record, and the amounts, statuses and actions that follow from it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, NewType, assert_never

from gateway.domain.immutable import immutable
from gateway.domain.money import Money
from gateway.domain.payment_status import REVIEW_EXPIRED, PaymentAction, PaymentStatus, after_its_time
from gateway.domain.user import UserId

PaymentId = NewType("PaymentId", str)
QuoteId = NewType("QuoteId", str)


class CaptureMethod(StrEnum):
    """When money is captured: with the payment, or by captures of the merchant."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


class PaymentReference(NamedTuple):
    """A name for a payment at a merchant, unique for the user who gave it: the merchant, or a customer."""

    merchant_id: UserId
    reference: str
    given_by: UserId


@immutable
class Payment:
    """A payment of a customer to a merchant, in one of its states. Amounts are in minor units of its currency.

    `amount.amount_minor ≥ amount_captured_minor ≥ amount_refunded_minor ≥ 0`, and `version` rises by 1 at each change.
    A request to no particular customer has no `customer_id` until a customer confirms it.

    `failure_code` is the reason why it failed; in an unconfirmed request, why the last confirmation failed; while it
    waits for a review, the name of the rule that sent it there.

    `fee_amount_minor` is the fee that the gateway keeps, `fee_refunded_minor` the fee that it returned; it charged the
    sum. `amount_refunded_with_fee_minor` is the sum of the refunds that returned their share of the fee.

    `quote_id` is the quote at which the customer paid in another currency. All amounts are in the merchant's currency.

    `reference_held_by` is the user who gave the reference: the customer who paid, or the merchant who requested it.
    It is `None` without a reference, and after the payment has ended without money: the reference is free again.
    """

    id: PaymentId
    status: PaymentStatus
    amount: Money
    capture: CaptureMethod
    customer_id: UserId | None
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
    fee_refunded_minor: int = 0
    amount_refunded_with_fee_minor: int = 0
    captures: int = 0
    refunds: int = 0
    quote_id: QuoteId | None = None
    reference_held_by: UserId | None = None

    @property
    def reference_held(self) -> PaymentReference | None:
        """The reference that no other payment may have at the same time."""
        if self.reference is None or self.reference_held_by is None:
            return None
        return PaymentReference(self.merchant_id, self.reference, self.reference_held_by)

    @property
    def amount_held_minor(self) -> int:
        """The amount on hold in this status, whether or not it has expired."""
        match self.status:
            case PaymentStatus.REQUIRES_REVIEW | PaymentStatus.AUTHORIZED | PaymentStatus.PARTIALLY_CAPTURED:
                return self.amount.amount_minor - self.amount_captured_minor
            case (
                PaymentStatus.REQUIRES_CONFIRMATION
                | PaymentStatus.CAPTURED
                | PaymentStatus.CANCELED
                | PaymentStatus.EXPIRED
                | PaymentStatus.FAILED
            ):
                return 0
            case _:
                assert_never(self.status)

    @property
    def amount_capturable_minor(self) -> int:
        """The amount that the merchant can still capture: nothing before a review."""
        return 0 if self.status is PaymentStatus.REQUIRES_REVIEW else self.amount_held_minor

    @property
    def amount_refundable_minor(self) -> int:
        """The amount captured and not refunded."""
        return self.amount_captured_minor - self.amount_refunded_minor

    @property
    def net_amount_minor(self) -> int:
        """The amount that the merchant keeps: captured less refunded less fees."""
        return self.amount_captured_minor - self.amount_refunded_minor - self.fee_amount_minor

    @property
    def allowed_actions(self) -> tuple[PaymentAction, ...]:
        """The actions that its status and amounts allow."""
        actions: tuple[PaymentAction, ...]
        match self.status:
            case PaymentStatus.REQUIRES_CONFIRMATION:
                actions = (PaymentAction.CONFIRM, PaymentAction.CANCEL)
            case PaymentStatus.REQUIRES_REVIEW:
                actions = (PaymentAction.APPROVE, PaymentAction.DECLINE, PaymentAction.CANCEL)
            case PaymentStatus.AUTHORIZED | PaymentStatus.PARTIALLY_CAPTURED:
                actions = (PaymentAction.CAPTURE, PaymentAction.CANCEL)
            case PaymentStatus.CAPTURED | PaymentStatus.CANCELED | PaymentStatus.EXPIRED | PaymentStatus.FAILED:
                actions = ()
            case _:
                assert_never(self.status)
        return (*actions, PaymentAction.REFUND) if self.amount_refundable_minor else actions

    def status_at(self, now: datetime) -> PaymentStatus:
        """Its status at a time: it expires at the moment that `now` reaches `expires_at`."""
        if self.expires_at is None or now < self.expires_at:
            return self.status
        return after_its_time(self.status)

    def at(self, now: datetime) -> "Payment":
        """The payment with its status at a time, whether or not its expiry was stored."""
        status = self.status_at(now)
        if status is self.status:
            return self
        in_review = self.status is PaymentStatus.REQUIRES_REVIEW
        return replace(self, status=status, failure_code=REVIEW_EXPIRED if in_review else self.failure_code)
