"""Ended sessions are found by their last refresh token, among those that were not used."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Replace the index of all tokens, of which nearly all were used, by one of unused tokens."""
    op.drop_index("refresh_tokens_expires_at_idx", "refresh_tokens")
    op.create_index(
        "refresh_tokens_unused_expires_at_idx",
        "refresh_tokens",
        ["expires_at"],
        postgresql_where=sa.text("used_at IS NULL"),
        sqlite_where=sa.text("used_at IS NULL"),
    )
