"""Members of merchants."""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import BYTES, INTEGER, MOMENT, TEXT

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Add the table. Merchants' own users stay owners without a row, and processes of the version before run on."""
    op.create_table(
        "members",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("merchant_id", TEXT, nullable=False),
        sa.Column("email", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("user_id", TEXT),
        sa.Column("invited_by", TEXT, nullable=False),
        sa.Column("token_hash", BYTES),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("joined_at", MOMENT),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("removed_at", MOMENT),
        sa.Column("sequence", INTEGER, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("members_merchant_id_idx", "members", ["merchant_id", "id"])
    has_user, has_token = sa.text("user_id IS NOT NULL"), sa.text("token_hash IS NOT NULL")
    op.create_index(
        "members_user_id_idx", "members", ["user_id", "id"], postgresql_where=has_user, sqlite_where=has_user
    )
    op.create_index(
        "members_token_hash_key",
        "members",
        ["token_hash"],
        unique=True,
        postgresql_where=has_token,
        sqlite_where=has_token,
    )
    op.create_index("members_changed_at_idx", "members", ["changed_at"])
