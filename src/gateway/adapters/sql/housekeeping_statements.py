"""The statements that delete old rows. Each finds its rows by index, by primary key or by their place in the table."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import TextClause, bindparam, column, delete, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.adapters.sql.engine import POSTGRES, SQLITE
from gateway.adapters.sql.event_statements import EVENTS_OF_BATCH
from gateway.adapters.sql.tables.access import login_failures, refresh_tokens, sessions
from gateway.adapters.sql.tables.audit import audit_chain, audit_log
from gateway.adapters.sql.tables.events import event_batches, event_index, retention
from gateway.adapters.sql.tables.exchange import quotes
from gateway.adapters.sql.tables.webhooks import event_cursors, webhook_deliveries, webhook_replays
from gateway.adapters.sql.types import BYTES, INTEGER, MOMENT, TEXT

_before: Final = bindparam("before", type_=MOMENT)
_limit: Final = bindparam("limit", type_=INTEGER)


def _typed(sql: str, *, moments: Iterable[str] = (), integers: Iterable[str] = ()) -> TextClause:
    return text(sql).bindparams(
        *(bindparam(name, type_=MOMENT) for name in moments), *(bindparam(name, type_=INTEGER) for name in integers)
    )


# How far a kind of rows was deleted. Who holds the lock of its row deletes rows of this kind; others pass it by.
_new_row: Final[dict[str, Any]] = {
    "name": bindparam("name"),
    "deleted_until": "",
    "kept_since": bindparam("kept_since", type_=MOMENT),
}
MAKE_PROGRESS: Final = {
    POSTGRES: postgresql.insert(retention).values(_new_row).on_conflict_do_nothing(),
    SQLITE: sqlite.insert(retention).values(_new_row).on_conflict_do_nothing(),
}
PROGRESS: Final = select(retention.c.deleted_until, retention.c.kept_since).where(retention.c.name == bindparam("name"))
LOCK_PROGRESS: Final = PROGRESS.with_for_update(skip_locked=True)
SET_PROGRESS: Final = (
    update(retention)
    .where(retention.c.name == bindparam("of"))
    .values(deleted_until=bindparam("until"), kept_since=bindparam("since", type_=MOMENT))
)

# Answers have no index but that of their keys: every payment would pay for it. On Postgres, all pages of the table are
# passed through, a range of them in each step.
ANSWER_PAGES: Final = text(
    "SELECT pg_relation_filenode('answers'), pg_relation_size('answers') / current_setting('block_size')::int"
)
DELETE_ANSWERS: Final = _typed(
    """
    DELETE FROM answers WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM answers
        WHERE ctid >= CAST(CAST(:first AS text) AS tid) AND ctid < CAST(CAST(:behind AS text) AS tid)
            AND created_at < :before
        LIMIT :limit
    ))
    """,
    moments=("before",),
    integers=("limit",),
)
# On SQLite, rows have numbers in the order in which they were inserted.
FIRST_ANSWERS: Final = _typed(
    "SELECT rowid, created_at FROM answers ORDER BY rowid LIMIT :limit", integers=("limit",)
).columns(column("rowid", INTEGER), column("created_at", MOMENT))
DELETE_FIRST_ANSWERS: Final = _typed(
    "DELETE FROM answers WHERE rowid <= :last AND created_at < :before", moments=("before",), integers=("last",)
)

CURSORS: Final = select(event_cursors.c.name, event_cursors.c.position)
WAITING: Final = select(
    select(func.min(webhook_deliveries.c.position)).where(webhook_deliveries.c.due_at.is_not(None)).scalar_subquery(),
    select(func.min(webhook_replays.c.created_from)).scalar_subquery(),
)
"""One statement: a replay that is no longer there has made its deliveries."""

_first: Final = event_batches.c.first_position
NEWEST_BATCH: Final = select(func.max(_first))
FIRST_BATCHES: Final = (
    select(_first, event_batches.c.size)
    .where(_first <= bindparam("until", type_=INTEGER), _first < bindparam("newest", type_=INTEGER))
    .order_by(_first)
    .limit(_limit)
)
_BATCHES: Final = "first_position BETWEEN :first AND :last"
NEWEST_EVENTS: Final = {
    dialect: _typed(
        f"""
        SELECT first_position, max(event.created_at) FROM event_batches AS batch {events}
        WHERE {_BATCHES} GROUP BY first_position ORDER BY first_position
        """,  # noqa: S608 - made of constants.
        integers=("first", "last"),
    ).columns(column("first_position", INTEGER), column("created_at", MOMENT))
    for dialect, events in EVENTS_OF_BATCH.items()
}
"""When the last event of each batch was created."""
_IDS: Final = {
    dialect: f"SELECT event.id FROM event_batches AS batch {events} WHERE {_BATCHES}"  # noqa: S608 - as above.
    for dialect, events in EVENTS_OF_BATCH.items()
}
DELETE_EVENTS: Final = {
    POSTGRES: _typed(f"DELETE FROM events WHERE id = ANY (ARRAY ({_IDS[POSTGRES]}))", integers=("first", "last")),  # noqa: S608 - as above.
    SQLITE: _typed(f"DELETE FROM events WHERE id IN ({_IDS[SQLITE]})", integers=("first", "last")),  # noqa: S608 - as above.
}
DELETE_BATCHES: Final = delete(event_batches).where(_first <= bindparam("last", type_=INTEGER))
DELETE_BLOCKS: Final = delete(event_index).where(
    event_index.c.first_position <= bindparam("until", type_=INTEGER),
    event_index.c.last_position <= bindparam("until", type_=INTEGER),
)

NEXT_QUOTES: Final = (
    select(quotes.c.id, quotes.c.expires_at).where(quotes.c.id > bindparam("after")).order_by(quotes.c.id).limit(_limit)
)
DELETE_QUOTES: Final = delete(quotes).where(
    quotes.c.id > bindparam("after"),
    quotes.c.id <= bindparam("until"),
    quotes.c.payment_id.is_(None),
    quotes.c.expires_at < _before,
)

_ended: Final = (
    select(sessions.c.id).where(sessions.c.revoked_at < _before).order_by(sessions.c.revoked_at).limit(_limit)
)
_unused: Final = refresh_tokens.c.used_at.is_(None)
EXPIRED_TOKENS: Final = (
    select(refresh_tokens.c.session_id)
    .where(_unused, refresh_tokens.c.expires_at < _before)
    .order_by(refresh_tokens.c.expires_at)
    .limit(_limit)
)
"""Each session has one unused token, its last one: once that has expired, the session has ended."""
REVOKED_SESSIONS: Final = {POSTGRES: _ended.with_for_update(skip_locked=True), SQLITE: _ended}
_among: Final = sessions.c.id.in_(bindparam("ids", type_=TEXT, expanding=True))
_sessions: Final = select(sessions.c.id).where(_among).order_by(sessions.c.id)
LOCK_SESSIONS: Final = {POSTGRES: _sessions.with_for_update(skip_locked=True), SQLITE: _sessions}
_of_sessions: Final = refresh_tokens.c.session_id.in_(bindparam("ids", type_=TEXT, expanding=True))
USED_TOKENS: Final = (
    select(refresh_tokens.c.token_hash).where(_of_sessions, refresh_tokens.c.used_at.is_not(None)).limit(_limit)
)
DELETE_TOKENS: Final = delete(refresh_tokens).where(
    refresh_tokens.c.token_hash.in_(bindparam("hashes", type_=BYTES, expanding=True))
)
DELETE_TOKENS_OF: Final = delete(refresh_tokens).where(_of_sessions)
DELETE_SESSIONS: Final = delete(sessions).where(_among)

_old_failures: Final = (
    select(login_failures.c.scope)
    .where(login_failures.c.last_at < _before)
    .order_by(login_failures.c.last_at)
    .limit(_limit)
)
OLD_FAILURES: Final = {POSTGRES: _old_failures.with_for_update(skip_locked=True), SQLITE: _old_failures}
DELETE_FAILURES: Final = delete(login_failures).where(
    login_failures.c.scope.in_(bindparam("scopes", type_=TEXT, expanding=True))
)

FIRST_LINKS: Final = (
    select(audit_chain.c.position, audit_chain.c.audit_id, audit_chain.c.hash, audit_log.c.created_at)
    .outerjoin(audit_log, audit_log.c.id == audit_chain.c.audit_id)
    .where(audit_chain.c.position < select(func.max(audit_chain.c.position)).scalar_subquery())
    .order_by(audit_chain.c.position)
    .limit(_limit)
)
"""The first links of the chain of the audit log, but for the last one of all."""
DELETE_AUDIT_RECORDS: Final = delete(audit_log).where(audit_log.c.id.in_(bindparam("ids", type_=TEXT, expanding=True)))
DELETE_LINKS: Final = delete(audit_chain).where(audit_chain.c.position <= bindparam("last", type_=INTEGER))
