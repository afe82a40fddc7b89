"""Exchange rates, as clients see them."""

from typing import Literal

import msgspec

from gateway.application.views.times import Instant
from gateway.domain.rate import ExchangeRate, rate_text


class RateView(msgspec.Struct, frozen=True, kw_only=True):
    """What one unit of a currency costs in another, as a decimal; the spread comes on top, out of what is paid."""

    object: Literal["rate"] = "rate"
    from_currency: str
    to_currency: str
    rate: str
    spread_basis_points: int
    updated_at: Instant


def rate_view(rate: ExchangeRate) -> RateView:
    """A rate as clients see it."""
    return RateView(
        from_currency=rate.pair.source,
        to_currency=rate.pair.target,
        rate=rate_text(rate.rate),
        spread_basis_points=rate.spread_basis_points,
        updated_at=rate.updated_at,
    )
