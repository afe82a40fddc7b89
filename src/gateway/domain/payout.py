"""Payout: money that left the gateway."""

from datetime import datetime
from typing import NewType

from gateway.domain.account import AccountId
from gateway.domain.immutable import immutable
from gateway.domain.money import Money
from gateway.domain.transaction import TransactionId

PayoutId = NewType("PayoutId", str)


@immutable
class Payout:
    """A payout, moved by the transaction `transaction_id`. `reference` is the account owner's name for it."""

    id: PayoutId
    transaction_id: TransactionId
    account_id: AccountId
    amount: Money
    reference: str | None
    created_at: datetime
