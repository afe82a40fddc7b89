"""Rules of risk count the payments of customers (docs/decisions/0049)."""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import INTEGER, TEXT

revision = "0022"
down_revision = "0019"


def upgrade() -> None:
    """Add the table. It is empty as long as no rule counts payments."""
    op.create_table(
        "payment_counters",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("windows", TEXT, nullable=False),
        sqlite_strict=True,
        postgresql_with={"fillfactor": 70},
    )
