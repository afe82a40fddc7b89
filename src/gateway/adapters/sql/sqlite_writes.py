"""What a unit of work writes on SQLite: one statement for each kind of record."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import BindParameter, Column, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.sql.dml import Update, UpdateBase

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
from gateway.adapters.sql.tables.events import answers, event_batches, events
from gateway.adapters.sql.tables.exchange import quotes
from gateway.adapters.sql.tables.ledger import accounts, ids_ahead, payments, refunds, transfers
from gateway.adapters.sql.tables.members import members
from gateway.adapters.sql.tables.risk import payment_counters
from gateway.adapters.sql.tables.webhooks import webhook_endpoints
from gateway.adapters.sql.writing import (
    ACCOUNTS_HANDED_OVER,
    SESSIONS_ENDED,
)

Columns = Collection[Column[Any]]


def parameter_of(column: Column[Any]) -> str:
    """The name of the parameter that a statement of `PARTS` has for a column."""
    return f"given_{column.name}"


def _inserted(table: Table) -> tuple[Columns, UpdateBase]:
    return [*table.c], insert(table).values({each: bindparam(parameter_of(each)) for each in table.c})


def _updated(table: Table, changes: Columns) -> tuple[Columns, Update]:
    values: dict[Column[Any], BindParameter[Any]] = {
        each: bindparam(parameter_of(each)) for each in changes if each is not table.c.id
    }
    # As on Postgres: what is there is what was loaded, or nothing is written, and that is noticed.
    same = (table.c.id == bindparam("given_id"), table.c.version == bindparam(parameter_of(VERSION_BEFORE)))
    return [*changes, VERSION_BEFORE], update(table).values(values).where(*same)


def _handed_over() -> tuple[Columns, UpdateBase]:
    columns, statement = _updated(accounts, ACCOUNT_CHANGES)
    return columns, statement.values({accounts.c.managed_by: None})


def _replaced(table: Table) -> tuple[Columns, UpdateBase]:
    values: dict[Column[Any], BindParameter[Any]] = {
        each: bindparam(parameter_of(each)) for each in table.c if each is not table.c.id
    }
    return [*table.c], update(table).values(values).where(table.c.id == bindparam(parameter_of(table.c.id)))


def _deleted(table: Table) -> tuple[Columns, UpdateBase]:
    return [table.c.id], delete(table).where(table.c.id == bindparam(parameter_of(table.c.id)))


def _ended_sessions() -> tuple[Columns, UpdateBase]:
    columns = (sessions.c.user_id, sessions.c.revoked_at)
    is_running = (sessions.c.user_id == bindparam("given_user_id"), sessions.c.revoked_at.is_(None))
    values: dict[Column[Any], Any] = {sessions.c.revoked_at: bindparam(parameter_of(sessions.c.revoked_at))}
    return columns, update(sessions).values(values).where(*is_running)


def _inserted_batches() -> tuple[Columns, UpdateBase]:
    """The whole file is locked, so a batch is given the next positions at once; its id is the first of them."""
    newest = select(event_batches.c.first_position + event_batches.c.size).order_by(
        event_batches.c.first_position.desc()
    )
    next_position = func.coalesce(newest.limit(1).scalar_subquery(), 1)
    values: dict[Column[Any], Any] = {each: bindparam(parameter_of(each)) for each in EVENT_BATCH_COLUMNS}
    positions = {event_batches.c.first_position: next_position, event_batches.c.batch_id: next_position}
    return EVENT_BATCH_COLUMNS, insert(event_batches).values(values | positions)


def _inserted_events() -> tuple[Columns, UpdateBase]:
    batch_id = select(func.max(event_batches.c.first_position)).scalar_subquery()
    values: dict[Column[Any], Any] = {each: bindparam(parameter_of(each)) for each in EVENT_COLUMNS}
    return EVENT_COLUMNS, insert(events).values(values | {events.c.batch_id: batch_id})


PARTS: Final[Mapping[str, tuple[Columns, UpdateBase]]] = {
    "ids_ahead": _inserted(ids_ahead),
    "users_new": _inserted(users),
    "users_changed": _updated(users, USER_CHANGES),
    SESSIONS_ENDED: _ended_sessions(),
    "accounts_new": _inserted(accounts),
    "accounts_changed": _updated(accounts, ACCOUNT_CHANGES),
    ACCOUNTS_HANDED_OVER: _handed_over(),
    "payments_new": _inserted(payments),
    "payments_changed": _updated(payments, PAYMENT_CHANGES),
    "payment_counters_new": _inserted(payment_counters),
    "payment_counters_changed": _updated(payment_counters, COUNTERS_CHANGES),
    "transactions_new": _inserted(transfers),
    "quotes_new": _inserted(quotes),
    "quotes_changed": _updated(quotes, QUOTE_CHANGES),
    "refunds_new": _inserted(refunds),
    "webhook_endpoints_new": _inserted(webhook_endpoints),
    "webhook_endpoints_changed": _replaced(webhook_endpoints),
    "webhook_endpoints_deleted": _deleted(webhook_endpoints),
    "api_keys_new": _inserted(api_keys),
    "api_keys_changed": _replaced(api_keys),
    "api_keys_deleted": _deleted(api_keys),
    "customers_new": _inserted(customers),
    "customers_changed": _replaced(customers),
    "members_new": _inserted(members),
    "members_changed": _replaced(members),
    "members_deleted": _deleted(members),
    "audit_new": _inserted(audit_log),
    "audit_unlinked": _inserted(audit_unlinked),
    "event_batches_new": _inserted_batches(),
    "events_new": _inserted_events(),
    "answers_new": _inserted(answers),
}
