"""EventType: the type of each change."""

from enum import StrEnum
from typing import Final


class EventType(StrEnum):
    """The type of each change. Quotes have no events: the events of payments show their use."""

    PAYMENT_CREATED = "payment.created"
    PAYMENT_REQUIRES_REVIEW = "payment.requires_review"
    PAYMENT_AUTHORIZED = "payment.authorized"
    PAYMENT_CAPTURED = "payment.captured"
    PAYMENT_PARTIALLY_CAPTURED = "payment.partially_captured"
    PAYMENT_FAILED = "payment.failed"
    PAYMENT_CONFIRMATION_FAILED = "payment.confirmation_failed"
    PAYMENT_CANCELED = "payment.canceled"
    PAYMENT_EXPIRED = "payment.expired"
    PAYMENT_REFUNDED = "payment.refunded"
    REFUND_SUCCEEDED = "refund.succeeded"
    DEPOSIT_SUCCEEDED = "deposit.succeeded"
    PAYOUT_SUCCEEDED = "payout.succeeded"
    TRANSACTION_REVERSED = "transaction.reversed"
    ACCOUNT_OPENED = "account.opened"
    ACCOUNT_FROZEN = "account.frozen"
    ACCOUNT_UNFROZEN = "account.unfrozen"
    ACCOUNT_FEES_CHANGED = "account.fees_changed"
    ACCOUNT_SUSPENDED = "account.suspended"
    ACCOUNT_RESUMED = "account.resumed"
    ACCOUNT_CLOSED = "account.closed"
    ACCOUNT_HANDED_OVER = "account.handed_over"
    USER_DISABLED = "user.disabled"
    USER_ENABLED = "user.enabled"
    ENDPOINT_DISABLED = "endpoint.disabled"
    ENDPOINT_TEST = "endpoint.test"
    API_KEY_CREATED = "api_key.created"
    API_KEY_ROTATED = "api_key.rotated"
    API_KEY_REVOKED = "api_key.revoked"
    CUSTOMER_CREATED = "customer.created"
    CUSTOMER_UPDATED = "customer.updated"
    CUSTOMER_INVITED = "customer.invited"
    CUSTOMER_JOINED = "customer.joined"
    MEMBER_ADDED = "member.added"
    MEMBER_CHANGED = "member.changed"
    MEMBER_REMOVED = "member.removed"


_FILTERS_OF: Final = {each: frozenset({"*", each.partition(".")[0] + ".*", each.value}) for each in EventType}


def filters_of(event_type: EventType) -> frozenset[str]:
    """The filters that select a type: `*`, `payment.*` and `payment.captured`."""
    return _FILTERS_OF[event_type]
