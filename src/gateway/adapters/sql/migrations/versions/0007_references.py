"""A reference is unique for the user who gave it, and free again when its payment has ended without any money."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import INTEGER, MOMENT, TEXT

revision = "0007"
down_revision = "0006"

REFERENCE_KEY = "payments_reference_key"
REFERENCE_KEY_BEFORE = "payments_merchant_id_reference_key"
UNFINISHED = "status IN ('authorized', 'partially_captured', 'requires_confirmation')"
INDEXES = (
    ("payments_customer_id_id_idx", ["customer_id", "id"], None),
    ("payments_merchant_id_id_idx", ["merchant_id", "id"], None),
    ("payments_expires_at_id_idx", ["expires_at", "id"], UNFINISHED),
)


def upgrade() -> None:
    """Add the holder of a reference, and tell it for the payments that there are."""
    if op.get_bind().dialect.name == "sqlite":
        _make_payments_anew_on_sqlite()
    else:
        # It may be null: processes of the version before, which do not know it, go on writing payments.
        op.add_column("payments", sa.Column("reference_held_by", TEXT))
        op.drop_index(REFERENCE_KEY_BEFORE, "payments")
    # A request begins with an event of its own; all other payments were named by their customers.
    op.execute(
        "UPDATE payments SET reference_held_by = CASE"
        " WHEN id IN (SELECT object_id FROM events WHERE type = 'payment.created') THEN merchant_id"
        " ELSE customer_id END"
        " WHERE reference IS NOT NULL AND status NOT IN ('failed', 'canceled', 'expired')"
    )
    _create_key(REFERENCE_KEY, ["merchant_id", "reference", "reference_held_by"], "reference IS NOT NULL")


def _create_key(name: str, columns: list[str], where: str) -> None:
    there = sa.text(where)
    op.create_index(name, "payments", columns, unique=True, postgresql_where=there, sqlite_where=there)


def _make_payments_anew_on_sqlite() -> None:
    """SQLite adds a column behind the constraints: for a table that reads as it was declared, the rows move."""
    for name in (*(name for name, _, _ in INDEXES), REFERENCE_KEY_BEFORE, "payments_quote_id_key"):
        op.drop_index(name, "payments")
    op.rename_table("payments", "before")
    made = _make_payments()
    names = [column.name for column in made.columns if column.name != "reference_held_by"]
    old: list[sa.ColumnClause[Any]] = [sa.column(name) for name in names]
    op.execute(sa.insert(made).from_select(names, sa.select(*old).select_from(sa.table("before"))))
    op.drop_table("before")
    for name, columns, where in INDEXES:
        op.create_index(name, "payments", columns, sqlite_where=None if where is None else sa.text(where))
    _create_key("payments_quote_id_key", ["quote_id"], "quote_id IS NOT NULL")


def _make_payments() -> Any:
    return op.create_table(
        "payments",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("amount", INTEGER, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("capture", TEXT, nullable=False),
        sa.Column("customer_id", TEXT),
        sa.Column("merchant_id", TEXT, nullable=False),
        sa.Column("amount_captured", INTEGER, nullable=False),
        sa.Column("amount_refunded", INTEGER, nullable=False),
        sa.Column("fee_amount", INTEGER, nullable=False),
        sa.Column("reference", TEXT),
        sa.Column("description", TEXT),
        sa.Column("metadata", TEXT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("failure_code", TEXT),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("fee_refunded", INTEGER, nullable=False),
        sa.Column("amount_refunded_with_fee", INTEGER, nullable=False),
        sa.Column("captures", INTEGER, nullable=False),
        sa.Column("refunds", INTEGER, nullable=False),
        sa.Column("quote_id", TEXT),
        sa.Column("reference_held_by", TEXT),
        sa.CheckConstraint(
            "amount >= 1 AND amount >= amount_captured AND amount_captured >= amount_refunded AND amount_refunded >= 0",
            name="payments_amounts_check",
        ),
        sa.CheckConstraint("fee_amount >= 0 AND fee_amount <= amount", name="payments_fee_amount_check"),
        sa.CheckConstraint("version >= 1", name="payments_version_check"),
        sa.CheckConstraint(
            "fee_refunded >= 0 AND amount_refunded_with_fee >= 0 AND amount_refunded_with_fee <= amount_refunded",
            name="payments_refunds_check",
        ),
        sqlite_strict=True,
    )
