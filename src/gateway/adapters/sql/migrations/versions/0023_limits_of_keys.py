"""API keys have rate limits of their own (docs/access.md)."""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import BYTES, INTEGER, MOMENT, TEXT

revision = "0023"
down_revision = "0019"


def upgrade() -> None:
    """Add the column. Processes of the version before go on making keys without a limit of their own."""
    if op.get_context().dialect.name == "sqlite":
        _make_api_keys_anew_on_sqlite()
    else:
        op.add_column("api_keys", sa.Column("requests_per_minute", INTEGER))


def _make_api_keys_anew_on_sqlite() -> None:
    """SQLite adds a column behind the constraints: for a table that reads as it was declared, the rows move."""
    op.rename_table("api_keys", "api_keys_before")
    for name in ("api_keys_owner_id_idx", "api_keys_revoked_at_idx", "api_keys_replaced_idx"):
        op.drop_index(name)
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
        sa.Column("requests_per_minute", INTEGER),
        sqlite_strict=True,
    )
    op.execute("INSERT INTO api_keys SELECT *, NULL FROM api_keys_before")
    op.drop_table("api_keys_before")
    op.create_index("api_keys_owner_id_idx", "api_keys", ["owner_id", "id"])
    for name, column, where in (
        ("api_keys_revoked_at_idx", "revoked_at", sa.text("revoked_at IS NOT NULL")),
        ("api_keys_replaced_idx", "expires_at", sa.text("replaced_by IS NOT NULL")),
    ):
        op.create_index(name, "api_keys", [column], sqlite_where=where)
