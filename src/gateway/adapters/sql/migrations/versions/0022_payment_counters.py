"""Rules of risk count the payments of customers, and send payments to reviews (docs/decisions/0049)."""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import INTEGER, TEXT

revision = "0022"
down_revision = "0021"


INDEX = "payments_unfinished_expires_at_id_idx"
UNFINISHED = sa.text("status IN ('authorized', 'partially_captured', 'requires_confirmation', 'requires_review')")
INVALID = sa.text("SELECT indexrelid FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid")


def upgrade() -> None:
    """Add the table, and replace the index of payments that expire by one that has those under review, too.

    An operator may have made the index before, beside running servers (docs/operations.md).
    """
    connection = op.get_bind()
    if connection.dialect.name == "postgresql" and connection.scalar(INVALID, {"name": INDEX}) is not None:
        op.drop_index(INDEX)
    op.create_index(
        INDEX,
        "payments",
        ["expires_at", "id"],
        if_not_exists=True,
        postgresql_where=UNFINISHED,
        sqlite_where=UNFINISHED,
    )
    op.drop_index("payments_expires_at_id_idx")
    op.create_table(
        "payment_counters",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("windows", TEXT, nullable=False),
        sqlite_strict=True,
        postgresql_with={"fillfactor": 70},
    )
