"""How long the payment of a quote can be refunded, and whether a refund returns the spread."""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import INTEGER, MOMENT, TEXT

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the columns. Payments of quotes from before are refundable for ever, with the spread, as was promised."""
    if op.get_context().dialect.name == "sqlite":
        _make_quotes_anew_on_sqlite()
    else:
        # Both may be null: processes of the version before, which do not know them, go on making quotes.
        op.add_column("quotes", sa.Column("refundable_until", MOMENT))
        op.add_column("quotes", sa.Column("spread_refund", TEXT))


def _make_quotes_anew_on_sqlite() -> None:
    """SQLite adds a column behind the constraints: for a table that reads as it was declared, the rows move."""
    op.rename_table("quotes", "quotes_before")
    op.create_table(
        "quotes",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("customer_id", TEXT, nullable=False),
        sa.Column("source_amount", INTEGER, nullable=False),
        sa.Column("source_currency", TEXT, nullable=False),
        sa.Column("target_amount", INTEGER, nullable=False),
        sa.Column("target_currency", TEXT, nullable=False),
        sa.Column("spread", INTEGER, nullable=False),
        sa.Column("rate", TEXT, nullable=False),
        sa.Column("spread_basis_points", INTEGER, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("payment_id", TEXT),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("refundable_until", MOMENT),
        sa.Column("spread_refund", TEXT),
        sa.CheckConstraint(
            "source_amount >= 1 AND target_amount >= 1 AND spread >= 0 AND spread <= source_amount",
            name="quotes_amounts_check",
        ),
        sa.CheckConstraint("version >= 1", name="quotes_version_check"),
        sqlite_strict=True,
    )
    op.execute("INSERT INTO quotes SELECT *, NULL, NULL FROM quotes_before")
    op.drop_table("quotes_before")
