"""API keys have rate limits of their own, the audit log tells whom a record concerns, and its end is written down.

Users have second factors. See docs/access.md and docs/decisions/0050 and 0051.
"""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import BYTES, INTEGER, MOMENT, TEXT

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Processes of the version before go on making keys without a limit, and records that concern nobody.

    They link records to the chain without moving its end on: it may lie behind.
    """
    if op.get_context().dialect.name == "sqlite":
        _make_api_keys_anew_on_sqlite()
        _make_audit_log_anew_on_sqlite()
    else:
        op.add_column("api_keys", sa.Column("requests_per_minute", INTEGER))
        op.add_column("audit_log", sa.Column("owner_id", TEXT))
    op.create_index("audit_log_owner_id_id_idx", "audit_log", ["owner_id", "id"])
    _write_down_the_end_of_the_chain()
    op.create_table(
        "second_factors",
        sa.Column("user_id", TEXT, primary_key=True),
        sa.Column("secret", TEXT),
        sa.Column("created_at", MOMENT),
        sa.Column("confirmed_at", MOMENT),
        sa.Column("last_step", INTEGER, nullable=False),
        sa.Column("recovery_hashes", TEXT, nullable=False),
        sqlite_strict=True,
    )


def _write_down_the_end_of_the_chain() -> None:
    head = op.create_table(
        "audit_head",
        sa.Column("id", INTEGER, primary_key=True, autoincrement=False),
        sa.Column("position", INTEGER, nullable=False),
        sa.Column("hash", BYTES, nullable=False),
        sa.CheckConstraint("id = 1", name="audit_head_id_check"),
        sqlite_strict=True,
    )
    op.bulk_insert(head, [{"id": 1, "position": 0, "hash": bytes(32)}])
    op.execute(
        """
        UPDATE audit_head SET
            position = (SELECT position FROM audit_chain ORDER BY position DESC LIMIT 1),
            hash = (SELECT hash FROM audit_chain ORDER BY position DESC LIMIT 1)
        WHERE EXISTS (SELECT 1 FROM audit_chain)
        """
    )


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


def _make_audit_log_anew_on_sqlite() -> None:
    """As above."""
    indexed = ("actor_id", "action", "object_id")
    op.rename_table("audit_log", "audit_log_before")
    for column in indexed:
        op.drop_index(f"audit_log_{column}_id_idx")
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
        sa.Column("owner_id", TEXT),
        sqlite_strict=True,
    )
    op.execute("INSERT INTO audit_log SELECT *, NULL FROM audit_log_before")
    op.drop_table("audit_log_before")
    for column in indexed:
        op.create_index(f"audit_log_{column}_id_idx", "audit_log", [column, "id"])
