"""Deposit: money that came from outside the gateway."""

from datetime import datetime
from typing import NewType

from gateway.domain.account import AccountId
from gateway.domain.immutable import immutable
from gateway.domain.money import Money
from gateway.domain.transaction import TransactionId

DepositId = NewType("DepositId", str)


@immutable
class Deposit:
    """A deposit, moved by the transaction `transaction_id`. `reference` is the sender's name for it."""

    id: DepositId
    transaction_id: TransactionId
    account_id: AccountId
    amount: Money
    reference: str | None
    created_at: datetime
