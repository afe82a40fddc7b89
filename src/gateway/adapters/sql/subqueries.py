"""Values that are looked up beside the columns of a row."""

from typing import Final

from sqlalchemy import literal_column, select

from gateway.adapters.sql.tables.events import answers, events
from gateway.adapters.sql.tables.ledger import transfers
from gateway.adapters.sql.types import INTEGER

DATA_OF_EVENT: Final = select(events.c.data).where(events.c.id == answers.c.event_id).scalar_subquery().label("data")
"""Beside the columns of an answer: the data of the event with which the answer ends, or NULL."""

ZERO: Final = literal_column("0", INTEGER)
"""Not a parameter: the index on reversals is of first transfers, and statements say so themselves."""

_reversals: Final = transfers.alias("reversals")
REVERSED_BY: Final = (
    select(_reversals.c.transaction_id)
    .where(_reversals.c.reverses == transfers.c.transaction_id, _reversals.c.position == ZERO)
    .scalar_subquery()
    .label("reversed_by")
)
"""Beside the columns of a transfer: the id of the transaction that reverses its own, or NULL."""
