"""Tables of rates and quotes."""

from typing import Final

from sqlalchemy import CheckConstraint, Column

from gateway.adapters.sql.tables.base import integers, key, table, text
from gateway.adapters.sql.types import MOMENT

rates: Final = table(
    "rates",
    key("from_currency"),
    key("to_currency"),
    # As text: it is an exact decimal, of which SQLite has none.
    text("rate"),
    *integers("spread_basis_points"),
    Column("updated_at", MOMENT, nullable=False),
    CheckConstraint("spread_basis_points >= 0 AND spread_basis_points <= 10000", name="rates_spread_check"),
    CheckConstraint("from_currency <> to_currency", name="rates_currencies_check"),
)

quotes: Final = table(
    "quotes",
    key("id"),
    text("customer_id"),
    *integers("source_amount"),
    text("source_currency"),
    *integers("target_amount"),
    text("target_currency"),
    *integers("spread"),
    text("rate"),
    *integers("spread_basis_points"),
    Column("expires_at", MOMENT, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    text("payment_id", nullable=True),
    *integers("version"),
    Column("refundable_until", MOMENT),
    # Null in rows of processes of the version before, which return the spread always.
    text("spread_refund", nullable=True),
    CheckConstraint(
        "source_amount >= 1 AND target_amount >= 1 AND spread >= 0 AND spread <= source_amount",
        name="quotes_amounts_check",
    ),
    CheckConstraint("version >= 1", name="quotes_version_check"),
)
