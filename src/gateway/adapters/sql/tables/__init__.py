"""The tables. What may stand in them is checked by the database too, in case the code is wrong one day.

Every index makes each payment dearer, so each one says what it is for. There are no foreign keys between the tables
that payments are written to: the unit of work holds the rows it refers to locked, nothing is ever deleted, and each key
would cost a look-up and a row lock per row.
"""

from gateway.adapters.sql.tables import access, events, exchange, ledger
from gateway.adapters.sql.tables.base import metadata

__all__ = ["access", "events", "exchange", "ledger", "metadata"]
