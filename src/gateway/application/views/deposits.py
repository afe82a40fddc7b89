"""Deposits, as clients see them."""

from typing import Literal

import msgspec

from gateway.application.views.times import Instant
from gateway.domain.deposit import Deposit


class DepositView(msgspec.Struct, frozen=True, kw_only=True):
    """A deposit."""

    id: str
    object: Literal["deposit"] = "deposit"
    transaction_id: str
    account_id: str
    amount: int
    currency: str
    reference: str | None
    created_at: Instant


def deposit_view(deposit: Deposit) -> DepositView:
    """A deposit as clients see it."""
    return DepositView(
        id=deposit.id,
        transaction_id=deposit.transaction_id,
        account_id=deposit.account_id,
        amount=deposit.amount.amount_minor,
        currency=deposit.amount.currency,
        reference=deposit.reference,
        created_at=deposit.created_at,
    )
