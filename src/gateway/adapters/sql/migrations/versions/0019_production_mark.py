"""Production's database is marked: a sandbox does not serve it (docs/operations.md)."""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import INTEGER, MOMENT

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Make the table. It is empty: `gateway migrate` marks the database in production."""
    op.create_table(
        "production",
        sa.Column("id", INTEGER, primary_key=True),
        sa.Column("marked_at", MOMENT, nullable=False),
        sa.CheckConstraint("id = 1", name="production_id_check"),
        sqlite_strict=True,
    )
