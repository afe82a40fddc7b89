"""Token buckets of rate limits, which all processes share."""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import INTEGER, TEXT

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the table. Buckets that are not in it are full."""
    op.create_table(
        "rate_budgets",
        sa.Column("scope", TEXT, primary_key=True),
        sa.Column("full_at", INTEGER, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("rate_budgets_full_at_idx", "rate_budgets", ["full_at"])
