"""The tables. Constraints check again what the domain decides, in case the code is wrong one day.

Every index makes each payment dearer, so each one says what it is for. There are no foreign keys between the tables of
payments: rows of the ledger are never deleted, the unit of work locks the rows that it refers to or checks their
versions, and each key would cost a look-up and a row lock for each row.
"""

from gateway.adapters.sql.tables import (
    access,
    audit,
    customers,
    events,
    exchange,
    ledger,
    members,
    production,
    risk,
    webhooks,
)
from gateway.adapters.sql.tables.base import metadata

__all__ = [
    "access",
    "audit",
    "customers",
    "events",
    "exchange",
    "ledger",
    "members",
    "metadata",
    "production",
    "risk",
    "webhooks",
]
