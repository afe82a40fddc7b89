"""Payout: money that left for the world outside."""

from datetime import datetime
from typing import NewType

from gateway.domain.account import AccountId
from gateway.domain.money import Money
from gateway.domain.transaction import TransactionId
from gateway.domain.value import value

PayoutId = NewType("PayoutId", str)


@value
class Payout:
    """What the owner of the account is told. Its money is the transaction; `reference` is their own name for it."""

    id: PayoutId
    transaction_id: TransactionId
    account_id: AccountId
    amount: Money
    reference: str | None
    created_at: datetime
