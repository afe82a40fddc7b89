"""Answers name the event whose data they end with, rather than keep it again."""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import BYTES, MOMENT, TEXT

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add what is new. Answers that were kept before are whole by themselves, and stay so."""
    if op.get_bind().dialect.name == "sqlite":
        _make_answers_anew_on_sqlite()
    else:
        op.add_column("answers", sa.Column("event_id", TEXT))


def _make_answers_anew_on_sqlite() -> None:
    """SQLite adds a column behind the constraints: for a table that reads as it was declared, the rows move."""
    op.rename_table("answers", "before")
    made = op.create_table(
        "answers",
        sa.Column("owner_id", TEXT, primary_key=True),
        sa.Column("key", TEXT, primary_key=True),
        sa.Column("fingerprint", BYTES, nullable=False),
        sa.Column("body", BYTES, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("event_id", TEXT),
        sqlite_strict=True,
    )
    kept = ("owner_id", "key", "fingerprint", "body", "created_at")
    old: list[sa.ColumnClause[str]] = [sa.column(name) for name in kept]
    op.execute(sa.insert(made).from_select(kept, sa.select(*old).select_from(sa.table("before"))))
    op.drop_table("before")
