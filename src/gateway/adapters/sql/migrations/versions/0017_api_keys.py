"""API keys."""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import BYTES, INTEGER, MOMENT, TEXT

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the table. Processes of the version before do not know it, and refuse keys as tokens that are not theirs."""
    op.create_table(
        "api_keys",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("owner_id", TEXT, nullable=False),
        sa.Column("owner_role", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("scopes", TEXT, nullable=False),
        sa.Column("secret_hash", BYTES, nullable=False),
        sa.Column("last_four", TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.Column("replaced_by", TEXT),
        sa.Column("last_used_at", MOMENT),
        sa.Column("sequence", INTEGER, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("api_keys_owner_id_idx", "api_keys", ["owner_id", "id"])
    for name, column, where in (
        ("api_keys_revoked_at_idx", "revoked_at", sa.text("revoked_at IS NOT NULL")),
        ("api_keys_replaced_idx", "expires_at", sa.text("replaced_by IS NOT NULL")),
    ):
        op.create_index(name, "api_keys", [column], postgresql_where=where, sqlite_where=where)
