"""Payouts, as clients see them."""

from typing import Literal

import msgspec

from gateway.application.views.times import Instant
from gateway.domain.payout import Payout


class PayoutView(msgspec.Struct, frozen=True, kw_only=True):
    """A payout."""

    id: str
    object: Literal["payout"] = "payout"
    transaction_id: str
    account_id: str
    amount: int
    currency: str
    reference: str | None
    created_at: Instant


def payout_view(payout: Payout) -> PayoutView:
    """A payout as clients see it."""
    return PayoutView(
        id=payout.id,
        transaction_id=payout.transaction_id,
        account_id=payout.account_id,
        amount=payout.amount.amount_minor,
        currency=payout.amount.currency,
        reference=payout.reference,
        created_at=payout.created_at,
    )
