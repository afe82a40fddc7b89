"""Tables of the audit log."""

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, UniqueConstraint

from gateway.adapters.sql.tables.base import integers, key, table, text
from gateway.adapters.sql.types import BYTES, INTEGER, MOMENT

# Append-only: a row never changes. Payments write none.
audit_log: Final = table(
    "audit_log",
    key("id"),
    text("actor_kind"),
    text("actor_id"),
    text("action"),
    text("object_id"),
    Column("created_at", MOMENT, nullable=False),
    text("address", nullable=True),
    text("request_id", nullable=True),
    text("reason", nullable=True),
    # JSON: what was different before, and what is different now.
    text("before"),
    text("after"),
    # The user whom it concerns. Processes of the version before write none.
    text("owner_id", nullable=True),
)

# The lists that operators and merchants ask for, newest first.
for _column in (audit_log.c.actor_id, audit_log.c.action, audit_log.c.object_id, audit_log.c.owner_id):
    Index(f"audit_log_{_column.name}_id_idx", _column, audit_log.c.id)

# A row for each record that was committed and has no place in the chain yet (docs/decisions/0045). Rows do not stay.
audit_unlinked: Final = table(
    "audit_unlinked",
    key("audit_id"),
    postgresql_with={"autovacuum_vacuum_scale_factor": 0, "autovacuum_vacuum_threshold": 1000},
)

# The chain: the SHA-256 of the hash before it and of the record.
audit_chain: Final = table(
    "audit_chain",
    Column("position", INTEGER, primary_key=True, autoincrement=False),
    text("audit_id"),
    Column("hash", BYTES, nullable=False),
    UniqueConstraint("audit_id", name="audit_chain_audit_id_key"),
    CheckConstraint("position >= 1", name="audit_chain_position_check"),
)

# One row: the end of the chain, moved on with it. A chain that ends before it was cut off (docs/decisions/0050).
audit_head: Final = table(
    "audit_head",
    Column("id", INTEGER, primary_key=True, autoincrement=False),
    *integers("position"),
    Column("hash", BYTES, nullable=False),
    CheckConstraint("id = 1", name="audit_head_id_check"),
)
