"""Quotes, as clients see them."""

from typing import Literal

import msgspec

from gateway.application.views.times import Instant
from gateway.domain.quote import Quote
from gateway.domain.rate import rate_text


class QuoteView(msgspec.Struct, frozen=True, kw_only=True):
    """A quote. `source_amount` is all that its customer pays; `spread` is the part of it that the gateway keeps."""

    id: str
    object: Literal["quote"] = "quote"
    customer_id: str
    from_currency: str
    to_currency: str
    rate: str
    source_amount: int
    target_amount: int
    spread: int
    spread_basis_points: int
    expires_at: Instant
    payment_id: str | None
    created_at: Instant


def quote_view(quote: Quote) -> QuoteView:
    """A quote as clients see it."""
    return QuoteView(
        id=quote.id,
        customer_id=quote.customer_id,
        from_currency=quote.source.currency,
        to_currency=quote.target.currency,
        rate=rate_text(quote.rate),
        source_amount=quote.source.amount_minor,
        target_amount=quote.target.amount_minor,
        spread=quote.spread_minor,
        spread_basis_points=quote.spread_basis_points,
        expires_at=quote.expires_at,
        payment_id=quote.payment_id,
        created_at=quote.created_at,
    )
