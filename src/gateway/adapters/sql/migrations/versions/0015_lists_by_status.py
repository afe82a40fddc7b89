"""Lists of payments by status, of transactions by type, and of accounts by currency have indexes."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

NOT_CAPTURED = "status != 'captured'"
RARE = "type IN ('deposit', 'payout', 'refund', 'release', 'reversal')"
INDEXES = (
    ("payments_customer_id_status_id_idx", "payments", ["customer_id", "status", "id"], NOT_CAPTURED),
    ("payments_merchant_id_status_id_idx", "payments", ["merchant_id", "status", "id"], NOT_CAPTURED),
    (
        "transfers_customer_id_type_transaction_id_idx",
        "transfers",
        ["customer_id", "type", "transaction_id"],
        f"customer_id IS NOT NULL AND position = 0 AND {RARE}",
    ),
    (
        "transfers_merchant_id_type_transaction_id_idx",
        "transfers",
        ["merchant_id", "type", "transaction_id"],
        f"merchant_id IS NOT NULL AND position = 0 AND {RARE}",
    ),
    ("accounts_currency_id_idx", "accounts", ["currency", "id"], None),
)

INVALID = sa.text(
    "SELECT indexrelid::regclass::text FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid"
)


def upgrade() -> None:
    """Make the indexes that an operator has not made before, beside running servers (docs/operations.md)."""
    connection = op.get_bind()
    for name, table, columns, where in INDEXES:
        if connection.dialect.name == "postgresql" and connection.scalar(INVALID, {"name": name}) is not None:
            op.drop_index(name)
        there = None if where is None else sa.text(where)
        op.create_index(name, table, columns, if_not_exists=True, postgresql_where=there, sqlite_where=there)
