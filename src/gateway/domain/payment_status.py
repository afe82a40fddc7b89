"""Payment statuses, and the actions on payments."""

from enum import StrEnum
from typing import Final, assert_never


class PaymentStatus(StrEnum):
    """The state of a payment. Refunds do not change it: `amount_refunded_minor` tells of them."""

    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_REVIEW = "requires_review"
    AUTHORIZED = "authorized"
    PARTIALLY_CAPTURED = "partially_captured"
    CAPTURED = "captured"
    CANCELED = "canceled"
    EXPIRED = "expired"
    FAILED = "failed"


class PaymentAction(StrEnum):
    """A request that can be made about a payment."""

    CONFIRM = "confirm"
    APPROVE = "approve"
    DECLINE = "decline"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"


def after_its_time(status: PaymentStatus) -> PaymentStatus:
    """The status that a payment gets when it expires. Final statuses stay."""
    match status:
        case PaymentStatus.REQUIRES_CONFIRMATION | PaymentStatus.REQUIRES_REVIEW | PaymentStatus.AUTHORIZED:
            return PaymentStatus.EXPIRED
        case PaymentStatus.PARTIALLY_CAPTURED | PaymentStatus.CAPTURED:
            return PaymentStatus.CAPTURED
        case PaymentStatus.CANCELED | PaymentStatus.EXPIRED | PaymentStatus.FAILED:
            return status
        case _:
            assert_never(status)


ENDED_WITHOUT_MONEY: Final = frozenset({PaymentStatus.FAILED, PaymentStatus.CANCELED, PaymentStatus.EXPIRED})
"""The statuses in which a payment releases its reference."""

REVIEW_DECLINED: Final = "review_declined"
REVIEW_EXPIRED: Final = "review_expired"
"""The failure codes of payments that were not approved."""

UNFINISHED: Final = frozenset(status for status in PaymentStatus if after_its_time(status) is not status)
"""The statuses that `expires_at` applies to."""
