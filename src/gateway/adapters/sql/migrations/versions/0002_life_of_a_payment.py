"""The life of a payment: requests without a customer, holds that expire, refunds, and fees."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import INTEGER, MOMENT, TEXT

revision = "0002"
down_revision = "0001"

FEES_CHECK = "fee_basis_points >= 0 AND fee_basis_points <= 10000 AND fee_fixed >= 0"
REFUNDS_CHECK = "fee_refunded >= 0 AND amount_refunded_with_fee >= 0 AND amount_refunded_with_fee <= amount_refunded"
ACCOUNT_COLUMNS = ("fee_basis_points", "fee_fixed")
PAYMENT_COLUMNS = ("fee_refunded", "amount_refunded_with_fee", "captures", "refunds")


def upgrade() -> None:
    """Add what is new. Why it is so is said in `tables.py`."""
    if op.get_bind().dialect.name == "sqlite":
        _make_anew_on_sqlite()
    else:
        _alter_on_postgres()
    unfinished = sa.text("status IN ('authorized', 'partially_captured', 'requires_confirmation')")
    op.create_index(
        "payments_expires_at_id_idx",
        "payments",
        ["expires_at", "id"],
        postgresql_where=unfinished,
        sqlite_where=unfinished,
    )
    op.create_table(
        "refunds",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("payment_id", TEXT, nullable=False),
        sa.Column("transaction_id", TEXT, nullable=False),
        sa.Column("amount", INTEGER, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("fee_refunded", INTEGER, nullable=False),
        sa.Column("reason", TEXT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "amount >= 1 AND fee_refunded >= 0 AND fee_refunded <= amount", name="refunds_amounts_check"
        ),
        sqlite_strict=True,
    )
    op.create_index("refunds_payment_id_id_idx", "refunds", ["payment_id", "id"])


def _alter_on_postgres() -> None:
    op.alter_column("payments", "customer_id", existing_type=TEXT, nullable=True)
    for table, names in (("accounts", ACCOUNT_COLUMNS), ("payments", PAYMENT_COLUMNS)):
        for name in names:
            # A default fills the rows that are there without writing them; those to come bring their own values.
            op.add_column(table, sa.Column(name, INTEGER, nullable=False, server_default="0"))
            op.alter_column(table, name, server_default=None)
    op.create_check_constraint("accounts_fees_check", "accounts", FEES_CHECK)
    op.create_check_constraint("payments_refunds_check", "payments", REFUNDS_CHECK)


def _make_anew_on_sqlite() -> None:
    """SQLite changes no column and adds no constraint: the rows move to new tables."""
    for name in ("payments_customer_id_id_idx", "payments_merchant_id_id_idx", "payments_merchant_id_reference_key"):
        op.drop_index(name, "payments")
    for table, make, added in (
        ("accounts", _make_accounts, ACCOUNT_COLUMNS),
        ("payments", _make_payments, PAYMENT_COLUMNS),
    ):
        op.rename_table(table, "before")
        made = make()
        names = [column.name for column in made.columns if column.name not in added]
        old: list[sa.ColumnClause[Any]] = [sa.column(name) for name in names]
        zeros: list[sa.ColumnClause[Any]] = [sa.literal_column("0") for _ in added]
        op.execute(
            sa.insert(made).from_select([*names, *added], sa.select(*old, *zeros).select_from(sa.table("before")))
        )
        op.drop_table("before")
    op.create_index("payments_customer_id_id_idx", "payments", ["customer_id", "id"])
    op.create_index("payments_merchant_id_id_idx", "payments", ["merchant_id", "id"])
    op.create_index(
        "payments_merchant_id_reference_key",
        "payments",
        ["merchant_id", "reference"],
        unique=True,
        sqlite_where=sa.text("reference IS NOT NULL"),
    )


def _make_accounts() -> Any:
    return op.create_table(
        "accounts",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("owner_id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("debits_pending", INTEGER, nullable=False),
        sa.Column("debits_posted", INTEGER, nullable=False),
        sa.Column("credits_pending", INTEGER, nullable=False),
        sa.Column("credits_posted", INTEGER, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("fee_basis_points", INTEGER, nullable=False),
        sa.Column("fee_fixed", INTEGER, nullable=False),
        sa.UniqueConstraint("owner_id", "currency", "kind", name="accounts_owner_id_currency_kind_key"),
        sa.CheckConstraint(
            "debits_pending >= 0 AND debits_posted >= 0 AND credits_pending >= 0 AND credits_posted >= 0",
            name="accounts_counters_check",
        ),
        sa.CheckConstraint(
            "kind IN ('funding', 'exchange') OR credits_posted - debits_posted >= debits_pending",
            name="accounts_available_check",
        ),
        sa.CheckConstraint("version >= 1", name="accounts_version_check"),
        sa.CheckConstraint(FEES_CHECK, name="accounts_fees_check"),
        sqlite_strict=True,
    )


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
        sa.CheckConstraint(
            "amount >= 1 AND amount >= amount_captured AND amount_captured >= amount_refunded AND amount_refunded >= 0",
            name="payments_amounts_check",
        ),
        sa.CheckConstraint("fee_amount >= 0 AND fee_amount <= amount", name="payments_fee_amount_check"),
        sa.CheckConstraint("version >= 1", name="payments_version_check"),
        sa.CheckConstraint(REFUNDS_CHECK, name="payments_refunds_check"),
        sqlite_strict=True,
    )
