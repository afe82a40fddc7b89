"""Operators disable users (docs/decisions/0044), and what they do is in an audit log (docs/decisions/0045)."""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import BYTES, INTEGER, MOMENT, TEXT

revision = "0018"
down_revision = "0017"

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

    _make_audit_log()


def _make_audit_log() -> None:
    """New tables: processes of the version before write no records."""
    op.create_table(
        "audit_log",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("actor_kind", TEXT, nullable=False),
        sa.Column("actor_id", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("object_id", TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("address", TEXT),
        sa.Column("request_id", TEXT),
        sa.Column("reason", TEXT),
        sa.Column("before", TEXT, nullable=False),
        sa.Column("after", TEXT, nullable=False),
        sqlite_strict=True,
    )
    for column in ("actor_id", "action", "object_id"):
        op.create_index(f"audit_log_{column}_id_idx", "audit_log", [column, "id"])
    op.create_table(
        "audit_unlinked",
        sa.Column("audit_id", TEXT, primary_key=True),
        sqlite_strict=True,
        postgresql_with={"autovacuum_vacuum_scale_factor": 0, "autovacuum_vacuum_threshold": 1000},
    )
    op.create_table(
        "audit_chain",
        sa.Column("position", INTEGER, primary_key=True, autoincrement=False),
        sa.Column("audit_id", TEXT, nullable=False),
        sa.Column("hash", BYTES, nullable=False),
        sa.UniqueConstraint("audit_id", name="audit_chain_audit_id_key"),
        sa.CheckConstraint("position >= 1", name="audit_chain_position_check"),
        sqlite_strict=True,
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
