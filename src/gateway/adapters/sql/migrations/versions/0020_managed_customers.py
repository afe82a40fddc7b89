"""Customers whom a merchant manages (docs/decisions/0047)."""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import BYTES, INTEGER, MOMENT, TEXT

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the table, and to accounts the merchant who manages their owner.

    Processes of the version before, which do not know the column, go on opening accounts, which nobody manages.
    """
    if op.get_context().dialect.name == "sqlite":
        _make_accounts_anew_on_sqlite()
    else:
        op.add_column("accounts", sa.Column("managed_by", TEXT))
    op.create_table(
        "customers",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("merchant_id", TEXT, nullable=False),
        sa.Column("name", TEXT),
        sa.Column("email", TEXT),
        sa.Column("external_id", TEXT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("invitation_hash", BYTES),
        sa.Column("invitation_expires_at", MOMENT),
        sa.Column("joined_at", MOMENT),
        sa.UniqueConstraint("merchant_id", "external_id", name="customers_merchant_id_external_id_key"),
        sqlite_strict=True,
    )
    op.create_index("customers_merchant_id_id_idx", "customers", ["merchant_id", "id"])
    has_email = sa.text("email IS NOT NULL")
    op.create_index(
        "customers_merchant_id_email_id_idx",
        "customers",
        ["merchant_id", "email", "id"],
        postgresql_where=has_email,
        sqlite_where=has_email,
    )


def _make_accounts_anew_on_sqlite() -> None:
    """SQLite adds a column behind the constraints: for a table that reads as it was declared, the rows move."""
    op.rename_table("accounts", "accounts_before")
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
        sa.Column("fee_basis_points", INTEGER, nullable=False),
        sa.Column("fee_fixed", INTEGER, nullable=False),
        sa.Column("latest_at", MOMENT),
        sa.Column("managed_by", TEXT),
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
        sa.CheckConstraint(
            "fee_basis_points >= 0 AND fee_basis_points <= 10000 AND fee_fixed >= 0", name="accounts_fees_check"
        ),
        sqlite_strict=True,
    )
    op.execute("INSERT INTO accounts SELECT *, NULL FROM accounts_before")
    op.drop_table("accounts_before")
    op.create_index("accounts_currency_id_idx", "accounts", ["currency", "id"])
