"""The table of customers whom a merchant manages."""

from typing import Final

from sqlalchemy import Column, Index, UniqueConstraint

from gateway.adapters.sql.tables.base import integers, key, table, text
from gateway.adapters.sql.types import BYTES, MOMENT

customers: Final = table(
    "customers",
    key("id"),
    text("merchant_id"),
    text("name", nullable=True),
    text("email", nullable=True),
    text("external_id", nullable=True),
    Column("created_at", MOMENT, nullable=False),
    *integers("version"),
    # SHA-256.
    Column("invitation_hash", BYTES),
    Column("invitation_expires_at", MOMENT),
    Column("joined_at", MOMENT),
    UniqueConstraint("merchant_id", "external_id", name="customers_merchant_id_external_id_key"),
)

# The customers of a merchant, newest first: all, and those with an address.
Index("customers_merchant_id_id_idx", customers.c.merchant_id, customers.c.id)
Index(
    "customers_merchant_id_email_id_idx",
    customers.c.merchant_id,
    customers.c.email,
    customers.c.id,
    postgresql_where=customers.c.email.is_not(None),
    sqlite_where=customers.c.email.is_not(None),
)
