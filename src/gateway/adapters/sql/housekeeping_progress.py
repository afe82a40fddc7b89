"""How far the deletion of a kind of rows has come: its row of the table `retention`."""

from datetime import UTC, datetime
from typing import Final, NamedTuple

from gateway.adapters.sql import housekeeping_statements as statements
from gateway.adapters.sql.engine import POSTGRES
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction

ANSWERS: Final = "answers"
AUDIT: Final = "audit"
EVENTS: Final = "events"
QUOTES: Final = "quotes"
NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""`kept_since` while nothing was deleted."""


class Progress(NamedTuple):
    """A row of `retention`."""

    deleted_until: str
    kept_since: datetime


async def begin(transaction: DatabaseTransaction, dialect: str, name: str) -> Progress | None:
    """Lock the row of a kind until the transaction ends; `None` if another worker has locked it."""
    await transaction.change(statements.MAKE_PROGRESS[dialect], {"name": name, "kept_since": NEVER})
    select = statements.LOCK_PROGRESS if dialect == POSTGRES else statements.PROGRESS
    rows = await transaction.rows(select, {"name": name})
    return Progress(*rows[0]) if rows else None


async def move(transaction: DatabaseTransaction, name: str, deleted_until: str, *, kept_since: datetime) -> None:
    """Change the row of a kind."""
    await transaction.change(statements.SET_PROGRESS, {"of": name, "until": deleted_until, "since": kept_since})
