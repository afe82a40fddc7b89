"""Where a session has begun, and whether a refresh token was given out more than once."""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import BYTES, MOMENT, TEXT

revision = "0012"
down_revision = "0011"

INDEXES = {
    "sessions_user_id_idx": "sessions",
    "sessions_revoked_at_idx": "sessions",
    "refresh_tokens_session_id_idx": "refresh_tokens",
    "refresh_tokens_unused_expires_at_idx": "refresh_tokens",
}


def upgrade() -> None:
    """Add the columns. Where older sessions have begun is unknown: their users log in once as if from a new network."""
    if op.get_context().dialect.name == "sqlite":
        _make_both_anew_on_sqlite()
    else:
        op.add_column("sessions", sa.Column("network", TEXT))
        op.add_column("refresh_tokens", sa.Column("repeated_at", MOMENT))
        op.drop_index("sessions_user_id_idx", "sessions")
    op.create_index("sessions_user_id_network_idx", "sessions", ["user_id", "network"])


def _make_both_anew_on_sqlite() -> None:
    """SQLite adds a column behind the constraints: for tables that read as they were declared, the rows move."""
    for index, table in INDEXES.items():
        op.drop_index(index, table)
    op.rename_table("refresh_tokens", "refresh_tokens_before")
    op.rename_table("sessions", "sessions_before")
    op.create_table(
        "sessions",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT),
        sa.Column("network", TEXT),
        sqlite_strict=True,
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", BYTES, primary_key=True),
        sa.Column(
            "session_id", TEXT, sa.ForeignKey("sessions.id", name="refresh_tokens_session_id_fkey"), nullable=False
        ),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
        sa.Column("successor_hash", BYTES),
        sa.Column("sealed", BYTES),
        sa.Column("repeated_at", MOMENT),
        sqlite_strict=True,
    )
    op.execute("INSERT INTO sessions SELECT *, NULL FROM sessions_before")
    op.execute("INSERT INTO refresh_tokens SELECT *, NULL FROM refresh_tokens_before")
    op.drop_table("refresh_tokens_before")
    op.drop_table("sessions_before")
    op.create_index(
        "sessions_revoked_at_idx", "sessions", ["revoked_at"], sqlite_where=sa.text("revoked_at IS NOT NULL")
    )
    op.create_index("refresh_tokens_session_id_idx", "refresh_tokens", ["session_id"])
    op.create_index(
        "refresh_tokens_unused_expires_at_idx",
        "refresh_tokens",
        ["expires_at"],
        sqlite_where=sa.text("used_at IS NULL"),
    )
