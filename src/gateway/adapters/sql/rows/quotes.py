"""Quotes as rows."""

from typing import Final

from gateway.adapters.sql.rows.values import Values
from gateway.adapters.sql.tables.exchange import quotes
from gateway.adapters.sql.types import Found
from gateway.domain.money import Money
from gateway.domain.quote import Quote, SpreadRefund
from gateway.domain.rate import rate_of, rate_text

QUOTE_CHANGES: Final = (quotes.c.id, quotes.c.payment_id, quotes.c.version)
"""The columns of `quote_changes`, likewise."""


def quote_values(quote: Quote) -> Values:
    """The row of a quote."""
    return (
        quote.id,
        quote.customer_id,
        quote.source.amount_minor,
        quote.source.currency,
        quote.target.amount_minor,
        quote.target.currency,
        quote.spread_minor,
        rate_text(quote.rate),
        quote.spread_basis_points,
        quote.expires_at,
        quote.created_at,
        quote.payment_id,
        quote.version,
        quote.refundable_until,
        quote.spread_refund.value,
    )


def quote_changes(quote: Quote) -> Values:
    """What changes of a quote: the values of `QUOTE_CHANGES`."""
    return (quote.id, quote.payment_id, quote.version)


def to_quote(row: Found) -> Quote:
    """The quote of a row."""
    return Quote(
        id=row[0],
        customer_id=row[1],
        source=Money(row[2], row[3]),
        target=Money(row[4], row[5]),
        spread_minor=row[6],
        rate=rate_of(row[7]),
        spread_basis_points=row[8],
        expires_at=row[9],
        created_at=row[10],
        payment_id=row[11],
        version=row[12],
        refundable_until=row[13],
        spread_refund=SpreadRefund.ALWAYS if row[14] is None else SpreadRefund(row[14]),
    )
