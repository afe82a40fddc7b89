"""What causes the types of events that no customer and no merchant can cause."""

from collections.abc import Mapping
from typing import Final

from gateway.domain.event_type import EventType

BY_OPERATORS: Final[Mapping[EventType, str]] = {
    EventType.PAYMENT_REQUIRES_REVIEW: "an operator sets limits (GATEWAY_RISK_REVIEW), and a customer exceeds one.",
    EventType.TRANSACTION_REVERSED: "an operator reverses a deposit or a payout (POST /transactions/{id}/reverse).",
    EventType.ACCOUNT_FROZEN: "an operator freezes an account (POST /accounts/{id}/freeze).",
    EventType.ACCOUNT_UNFROZEN: "an operator unfreezes an account (POST /accounts/{id}/unfreeze).",
    EventType.ACCOUNT_FEES_CHANGED: "an operator sets the fees of a merchant (PUT /merchants/{id}/fees).",
    EventType.ACCOUNT_SUSPENDED: "an operator disables the account's owner (POST /users/{id}/disable).",
    EventType.ACCOUNT_RESUMED: "an operator enables the account's owner (POST /users/{id}/enable).",
    EventType.USER_DISABLED: "an operator disables a user (POST /users/{id}/disable).",
    EventType.USER_ENABLED: "an operator enables a user (POST /users/{id}/enable).",
}
"""The types that no customer and no merchant can cause, with what does."""
