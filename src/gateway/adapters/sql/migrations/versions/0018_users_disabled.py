"""Operators disable users (docs/decisions/0044)."""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import INTEGER, MOMENT, TEXT

revision = "0018"
down_revision = "0016"

DISABLED = "disabled_at IS NOT NULL"


def upgrade() -> None:
    """Add the columns. Processes of the version before, which do not know them, go on inserting users."""
    if op.get_context().dialect.name == "sqlite":
        _make_users_anew_on_sqlite()
    else:
        op.add_column("users", sa.Column("disabled_at", MOMENT))
        op.add_column("users", sa.Column("version", INTEGER, nullable=False, server_default="1"))
    op.create_index(
        "users_disabled_at_idx",
        "users",
        ["disabled_at"],
        postgresql_where=sa.text(DISABLED),
        sqlite_where=sa.text(DISABLED),
    )


def _make_users_anew_on_sqlite() -> None:
    """SQLite adds a column behind the constraints: for a table that reads as it was declared, the rows move."""
    op.rename_table("users", "users_before")
    op.create_table(
        "users",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("email", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("name", TEXT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("password_hash", TEXT, nullable=False),
        sa.Column("disabled_at", MOMENT),
        sa.Column("version", INTEGER, nullable=False, server_default="1"),
        sa.UniqueConstraint("email", name="users_email_key"),
        sqlite_strict=True,
    )
    op.execute("INSERT INTO users SELECT *, NULL, 1 FROM users_before")
    op.drop_table("users_before")
