"""Fee schedules, as clients see them."""

from typing import Literal

import msgspec

from gateway.domain.account import Account


class FeeScheduleView(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of payments to a merchant in a currency: a share in basis points, and `fixed_amount` on top."""

    object: Literal["fee_schedule"] = "fee_schedule"
    merchant_id: str
    currency: str
    basis_points: int
    fixed_amount: int


def fee_schedule_view(account: Account) -> FeeScheduleView:
    """The fees of a merchant's account as clients see them."""
    return FeeScheduleView(
        merchant_id=account.owner_id,
        currency=account.currency,
        basis_points=account.fees.basis_points,
        fixed_amount=account.fees.fixed_minor,
    )
