"""Payout: money that left the gateway."""

from datetime import datetime
from typing import NewType

from gateway.domain.account import AccountId
from gateway.domain.money import Money
from gateway.domain.transaction import TransactionId
from gateway.domain.value import value

PayoutId = NewType("PayoutId", str)


@value
class Payout:
    """A payout, moved by the transaction `transaction_id`. `reference` is the account owner's name for it."""

    id: PayoutId
    transaction_id: TransactionId
    account_id: AccountId
    amount: Money
    reference: str | None
    created_at: datetime
