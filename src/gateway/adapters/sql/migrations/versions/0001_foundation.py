"""Foundation: users and their sessions, accounts, payments, transfers, events and answers."""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import BYTES, INTEGER, MOMENT, TEXT

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables. Why they are as they are is said in `tables.py`."""
    op.create_table(
        "users",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("email", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("name", TEXT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("password_hash", TEXT, nullable=False),
        sa.UniqueConstraint("email", name="users_email_key"),
        sqlite_strict=True,
    )
    op.create_table(
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
        sqlite_strict=True,
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "payments",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("amount", INTEGER, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("capture", TEXT, nullable=False),
        sa.Column("customer_id", TEXT, nullable=False),
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
        sa.CheckConstraint(
            "amount >= 1 AND amount >= amount_captured AND amount_captured >= amount_refunded AND amount_refunded >= 0",
            name="payments_amounts_check",
        ),
        sa.CheckConstraint("fee_amount >= 0 AND fee_amount <= amount", name="payments_fee_amount_check"),
        sa.CheckConstraint("version >= 1", name="payments_version_check"),
        sqlite_strict=True,
    )
    op.create_index("payments_customer_id_id_idx", "payments", ["customer_id", "id"])
    op.create_index("payments_merchant_id_id_idx", "payments", ["merchant_id", "id"])
    op.create_index(
        "payments_merchant_id_reference_key",
        "payments",
        ["merchant_id", "reference"],
        unique=True,
        postgresql_where=sa.text("reference IS NOT NULL"),
        sqlite_where=sa.text("reference IS NOT NULL"),
    )
    op.create_table(
        "transfers",
        sa.Column("transaction_id", TEXT, primary_key=True),
        sa.Column("position", INTEGER, primary_key=True),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("payment_id", TEXT),
        sa.Column("customer_id", TEXT),
        sa.Column("merchant_id", TEXT),
        sa.Column("description", TEXT),
        sa.Column("reverses", TEXT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("amount", INTEGER, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("debit_account_id", TEXT, nullable=False),
        sa.Column("debit_posted_after", INTEGER, nullable=False),
        sa.Column("debit_held_after", INTEGER, nullable=False),
        sa.Column("debit_version", INTEGER, nullable=False),
        sa.Column("credit_account_id", TEXT, nullable=False),
        sa.Column("credit_posted_after", INTEGER, nullable=False),
        sa.Column("credit_held_after", INTEGER, nullable=False),
        sa.Column("credit_version", INTEGER, nullable=False),
        sa.CheckConstraint("position >= 0", name="transfers_position_check"),
        sa.CheckConstraint("amount >= 1", name="transfers_amount_check"),
        sa.CheckConstraint("debit_account_id <> credit_account_id", name="transfers_accounts_check"),
        sqlite_strict=True,
    )
    for name, columns, unique in (
        ("transfers_customer_id_transaction_id_idx", ["customer_id", "transaction_id"], False),
        ("transfers_merchant_id_transaction_id_idx", ["merchant_id", "transaction_id"], False),
        ("transfers_payment_id_transaction_id_idx", ["payment_id", "transaction_id"], False),
        ("transfers_reverses_key", ["reverses"], True),
    ):
        there = sa.text(f"{columns[0]} IS NOT NULL AND position = 0")
        op.create_index(name, "transfers", columns, unique=unique, postgresql_where=there, sqlite_where=there)
    op.create_table(
        "events",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("object_id", TEXT, nullable=False),
        sa.Column("sequence", INTEGER, nullable=False),
        sa.Column("customer_id", TEXT),
        sa.Column("merchant_id", TEXT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("data", TEXT, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "answers",
        sa.Column("owner_id", TEXT, primary_key=True),
        sa.Column("key", TEXT, primary_key=True),
        sa.Column("fingerprint", BYTES, nullable=False),
        sa.Column("body", BYTES, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "sessions",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT),
        sqlite_strict=True,
    )
    op.create_index("sessions_user_id_idx", "sessions", ["user_id"])
    op.create_index(
        "sessions_revoked_at_idx",
        "sessions",
        ["revoked_at"],
        postgresql_where=sa.text("revoked_at IS NOT NULL"),
        sqlite_where=sa.text("revoked_at IS NOT NULL"),
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", BYTES, primary_key=True),
        sa.Column(
            "session_id", TEXT, sa.ForeignKey("sessions.id", name="refresh_tokens_session_id_fkey"), nullable=False
        ),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
        sa.Column("successor_hash", BYTES),
        sa.Column("sealed", BYTES),
        sqlite_strict=True,
    )
    op.create_table(
        "login_failures",
        sa.Column("scope", TEXT, primary_key=True),
        sa.Column("count", INTEGER, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sqlite_strict=True,
    )
