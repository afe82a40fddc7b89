"""Deposit: money that came in from outside."""

from datetime import datetime
from typing import NewType

from gateway.domain.account import AccountId
from gateway.domain.money import Money
from gateway.domain.transaction import TransactionId
from gateway.domain.value import value

DepositId = NewType("DepositId", str)


@value
class Deposit:
    """What the depositor is told. Its money is the transaction; `reference` is the sender's own name for it."""

    id: DepositId
    transaction_id: TransactionId
    account_id: AccountId
    amount: Money
    reference: str | None
    created_at: datetime
