"""The statement that writes for a unit of work on Postgres: one for all of a batch.

Sets travel as one array for each column, and `unnest` makes rows of them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Delete,
    Executable,
    Insert,
    Integer,
    Label,
    Null,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    column,
    delete,
    func,
    literal_column,
    null,
    select,
    true,
    update,
)
from sqlalchemy import (
    table as table_named,
)
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert

from gateway.adapters.sql.constant_columns import Constant
from gateway.adapters.sql.postgres_reads import ONE, Columns, given
from gateway.adapters.sql.rows.accounts import ACCOUNT_CHANGES
from gateway.adapters.sql.rows.events import EVENT_BATCH_COLUMNS, EVENT_COLUMNS
from gateway.adapters.sql.rows.payment_counters import COUNTERS_CHANGES
from gateway.adapters.sql.rows.payments import PAYMENT_CHANGES
from gateway.adapters.sql.rows.quotes import QUOTE_CHANGES
from gateway.adapters.sql.rows.users import USER_CHANGES
from gateway.adapters.sql.rows.values import VERSION_BEFORE
from gateway.adapters.sql.tables.access import api_keys, sessions, users
from gateway.adapters.sql.tables.audit import audit_log, audit_unlinked
from gateway.adapters.sql.tables.customers import customers
from gateway.adapters.sql.tables.events import answers, event_batch_ids, event_batches_unnumbered, events
from gateway.adapters.sql.tables.exchange import quotes
from gateway.adapters.sql.tables.ledger import accounts, ids_ahead, payments, refunds, transfers
from gateway.adapters.sql.tables.members import members
from gateway.adapters.sql.tables.risk import payment_counters
from gateway.adapters.sql.tables.webhooks import webhook_endpoints
from gateway.adapters.sql.types import INTEGER
from gateway.adapters.sql.writing import ACCOUNTS_HANDED_OVER, SESSIONS_ENDED

ENDED_SESSIONS_COLUMNS: Final = (sessions.c.user_id, sessions.c.revoked_at)

RELIED_ON: Final = "accounts_relied_on"
"""The part that writes nothing: cached accounts on which something was decided. They must have their versions."""


NOTHING_ALIKE: Final[Mapping[Column[Any], Null]] = {}


class Part(NamedTuple):
    """One of the sets that a batch writes.

    Attributes:
        columns: The columns of its rows.
        written: Makes the statement that writes rows.
        returned: What the statement gives of each row that it has written.
    """

    columns: Columns
    written: Callable[[Select[Any]], Insert | Update | Delete | Select[Any]]
    returned: ColumnElement[int] = ONE


def _inserting(table: Table) -> Part:
    def inserted(rows: Select[Any]) -> Insert:
        return insert(table).from_select([*table.c], rows)

    return Part([*table.c], inserted)


def _updating(table: Table, changes: Columns, alike: Mapping[Column[Any], Null] = NOTHING_ALIKE) -> Part:
    def updated(rows: Select[Any]) -> Update:
        after = rows.subquery("after")
        is_what_was_loaded = and_(table.c.id == after.c.id, table.c.version == after.c[VERSION_BEFORE.name])
        values = {each: after.c[each.name] for each in changes if each is not table.c.id}
        return update(table).values({**values, **alike}).where(is_what_was_loaded)

    return Part([*changes, VERSION_BEFORE], updated)


def _replacing(table: Table) -> Part:
    def replaced(rows: Select[Any]) -> Update:
        after = rows.subquery("after")
        values = {each: after.c[each.name] for each in table.c if each is not table.c.id}
        return update(table).values(values).where(table.c.id == after.c.id)

    return Part([*table.c], replaced)


def _deleting(table: Table) -> Part:
    def deleted(rows: Select[Any]) -> Delete:
        return delete(table).where(table.c.id.in_(rows))

    return Part([table.c.id], deleted)


def _finding(columns: Columns) -> Part:
    def found(rows: Select[Any]) -> Select[Any]:
        wanted = rows.subquery("wanted")
        is_wanted = [each == wanted.c[each.name] for each in columns]
        row = select(ONE).where(*is_wanted).limit(literal_column("1")).lateral("row")  # As in `_named`.
        return select(ONE).select_from(wanted.join(row, true()))

    return Part(columns, found)


def _ended_sessions(rows: Select[Any]) -> Update:
    ended = rows.subquery("ended")
    return (
        update(sessions)
        .values({sessions.c.revoked_at: ended.c.revoked_at})
        .where(sessions.c.user_id == ended.c.user_id, sessions.c.revoked_at.is_(None))
    )


_BATCHES: Final = "event_batches_new"
_BATCH_ID: Final = event_batches_unnumbered.c.batch_id
_batch_id_of_events: Final = (
    select(column(_BATCH_ID.name, INTEGER)).select_from(table_named(_BATCHES)).scalar_subquery()
)


def _inserted_batches(rows: Select[Any]) -> Insert:
    names = [*(each.name for each in EVENT_BATCH_COLUMNS), _BATCH_ID.name]
    return insert(event_batches_unnumbered).from_select(names, rows.add_columns(event_batch_ids.next_value()))


def _inserted_events(rows: Select[Any]) -> Insert:
    return insert(events).from_select([*EVENT_COLUMNS, events.c.batch_id], rows.add_columns(_batch_id_of_events))


PARTS: Final[Mapping[str, Part]] = {
    RELIED_ON: _finding((accounts.c.id, accounts.c.version)),
    "ids_ahead": _inserting(ids_ahead),
    "users_new": _inserting(users),
    "users_changed": _updating(users, USER_CHANGES),
    SESSIONS_ENDED: Part(ENDED_SESSIONS_COLUMNS, _ended_sessions),
    "accounts_new": _inserting(accounts),
    "accounts_changed": _updating(accounts, ACCOUNT_CHANGES),
    ACCOUNTS_HANDED_OVER: _updating(accounts, ACCOUNT_CHANGES, {accounts.c.managed_by: null()}),
    "payments_new": _inserting(payments),
    "payments_changed": _updating(payments, PAYMENT_CHANGES),
    "payment_counters_new": _inserting(payment_counters),
    "payment_counters_changed": _updating(payment_counters, COUNTERS_CHANGES),
    "transactions_new": _inserting(transfers),
    "quotes_new": _inserting(quotes),
    "quotes_changed": _updating(quotes, QUOTE_CHANGES),
    "refunds_new": _inserting(refunds),
    "webhook_endpoints_new": _inserting(webhook_endpoints),
    "webhook_endpoints_changed": _replacing(webhook_endpoints),
    "webhook_endpoints_deleted": _deleting(webhook_endpoints),
    "api_keys_new": _inserting(api_keys),
    "api_keys_changed": _replacing(api_keys),
    "api_keys_deleted": _deleting(api_keys),
    "customers_new": _inserting(customers),
    "customers_changed": _replacing(customers),
    "members_new": _inserting(members),
    "members_changed": _replacing(members),
    "members_deleted": _deleting(members),
    "audit_new": _inserting(audit_log),
    "audit_unlinked": _inserting(audit_unlinked),
    # The database numbers a batch, and its events are given that number.
    _BATCHES: Part(EVENT_BATCH_COLUMNS, _inserted_batches, _BATCH_ID),
    "events_new": Part(EVENT_COLUMNS, _inserted_events),
    "answers_new": _inserting(answers),
}


def _rows(name: str, columns: Columns, alike: Constant) -> Select[Any]:
    """The rows of a part, from its parameters: one value for a column that is alike, else an array."""
    differing = given(name, [each for position, each in enumerate(columns) if position not in alike])
    return select(
        *(
            bindparam(f"{name}_{each.name}", type_=each.type).label(each.name)
            if position in alike
            else differing.c[each.name]
            for position, each in enumerate(columns)
        )
    ).select_from(differing)


def arguments_of(values: Sequence[Sequence[Any]], alike: Constant) -> Iterable[Any]:
    """The arguments for the columns of `_rows`, in their order."""
    return (column[0] if position in alike else column for position, column in enumerate(values))


def parameters_of(parts: Iterable[tuple[str, Constant]]) -> list[str]:
    """The names of the parameters of `write_statement`, in the order of `arguments_of`."""
    return [f"{name}_{each.name}" for name, _ in parts for each in PARTS[name].columns]


def write_statement(parts: tuple[tuple[str, Constant], ...], *, checked: bool) -> Executable:
    """One statement that writes these parts, in this order, and counts the rows of each.

    Checked, it writes (or finds) all rows of all parts, or it fails and writes nothing: dividing by zero is how a
    statement that has no transaction around it takes back what it has written.
    """
    counts: list[Label[int]] = []
    are_all: list[ColumnElement[bool]] = []
    for name, alike in parts:
        columns, written, returned = PARTS[name]
        change = written(_rows(name, columns, alike))
        if name == "answers_new" and isinstance(change, PostgresInsert) and not checked:
            # The insert waits for a concurrent insert of the same key and then skips its row: the count is too low.
            # In a checked statement the insert fails, and nothing is written.
            change = change.on_conflict_do_nothing()
        rows = change.cte(name) if isinstance(change, Select) else change.returning(returned).cte(name)
        count = select(func.count()).select_from(rows).scalar_subquery()
        counts.append(count.label(name))
        first = bindparam(f"{name}_{columns[0].name}", type_=ARRAY(columns[0].type))
        # A user may have any number of sessions.
        are_all.append(count >= 0 if name == SESSIONS_ENDED else count == func.cardinality(first))
    return select(ONE // and_(*are_all).cast(Integer)) if checked else select(*counts)
