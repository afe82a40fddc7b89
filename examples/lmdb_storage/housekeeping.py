"""Deletes old records, the oldest first: an index finds them."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import takewhile
from typing import TypeVar

from gateway.ports import ChainEnd, ChainLink, Deleted, EventReaders
from lmdb_storage.database import Database, first
from lmdb_storage.records import (
    ANSWERS,
    AUDIT_CHAIN,
    AUDIT_DELETED,
    AUDIT_LOG,
    CURSORS,
    DELIVERIES,
    EVENTS,
    EVENTS_KEPT_SINCE,
    LOGIN_FAILURES,
    QUOTES,
    REPLAYS,
    SESSIONS,
    TOKENS,
)
from lmdb_storage.tables import Table, Txn, moment, name
from lmdb_storage.unit_of_work import newest_position

Record = TypeVar("Record")

_MICROSECOND = timedelta(microseconds=1)


class LmdbHousekeeping:
    """The port `Housekeeping`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def delete_answers(self, *, before: datetime, limit: int) -> Deleted:
        """As the port says."""
        return await self._delete(ANSWERS, lambda txn: ANSWERS.until(txn, "created", moment(before)), limit)

    async def oldest_answer(self) -> datetime | None:
        """As the port says."""
        with self._database.snapshot() as txn:
            return next((each.created_at for each in ANSWERS.since(txn, "created", b"")), None)

    async def event_readers(self) -> EventReaders:
        """As the port says."""
        with self._database.snapshot() as txn:
            return EventReaders(
                cursors={each.name: each.position for each in CURSORS.all(txn)},
                first_waiting=next((each.delivery.position for each in DELIVERIES.since(txn, "waiting", b"")), None),
                replayed_since=next((each.created_from for each in REPLAYS.since(txn, "since", b"")), None),
            )

    async def delete_events(self, *, before: datetime, until: int, limit: int) -> Deleted:
        """As the port says. A step may end within a transaction: nothing here holds the events of one together."""

        def write(txn: Txn) -> Deleted:
            last = min(until, newest_position(txn) - 1)
            old = takewhile(lambda each: each.position <= last and each.created_at < before, EVENTS.all(txn))
            chosen = first(old, limit + 1)
            for event in chosen[:limit]:
                EVENTS.delete(txn, event)
            if chosen:
                newest = max(event.created_at for event in chosen[:limit])
                kept_since = EVENTS_KEPT_SINCE.get(txn)
                EVENTS_KEPT_SINCE.put(txn, max(kept_since or newest, newest + _MICROSECOND))
            return deleted(len(chosen), limit)

        return await self._database.write(write)

    async def index_events(self, *, blocks_max: int) -> bool:  # noqa: ARG002 - the port says so.
        """As the port says: there is no such index."""
        return False

    async def delete_quotes(self, *, before: datetime, limit: int) -> Deleted:
        """As the port says."""
        return await self._delete(QUOTES, lambda txn: QUOTES.until(txn, "unused", moment(before)), limit)

    async def delete_sessions(self, *, before: datetime, limit: int) -> Deleted:
        """As the port says."""

        def write(txn: Txn) -> Deleted:
            ended = first(SESSIONS.until(txn, "over", moment(before)), limit + 1)
            tokens = [token for session in ended[:limit] for token in TOKENS.those(txn, "session", name(session.id))]
            used = [token for token in tokens if token.used_at is not None]
            are_many = len(used) > limit
            for token in used[:limit] if are_many else tokens:
                TOKENS.delete(txn, token)
            if are_many:
                return Deleted(count=limit, is_last=False)
            for session in ended[:limit]:
                SESSIONS.delete(txn, session)
            return Deleted(count=len(ended[:limit]) + len(tokens), is_last=len(ended) <= limit)

        return await self._database.write(write)

    async def delete_audit_records(self, *, before: datetime, limit: int) -> Deleted:
        """As the port says."""

        def write(txn: Txn) -> Deleted:
            def is_old(link: ChainLink) -> bool:
                record = AUDIT_LOG.get(txn, link.audit_id)
                return record is not None and record.created_at < before

            last = next((link.position for link in AUDIT_CHAIN.newest(txn)), 0)
            old = takewhile(lambda link: link.position < last and is_old(link), AUDIT_CHAIN.all(txn))
            chosen = first(old, limit + 1)
            for link in chosen[:limit]:
                AUDIT_CHAIN.delete(txn, link)
                for record in AUDIT_LOG.found(txn, [link.audit_id]):
                    AUDIT_LOG.delete(txn, record)
                AUDIT_DELETED.put(txn, ChainEnd(link.position, link.hash))
            return deleted(len(chosen), limit)

        return await self._database.write(write)

    async def delete_login_failures(self, *, before: datetime, limit: int) -> Deleted:
        """As the port says."""
        return await self._delete(LOGIN_FAILURES, lambda txn: LOGIN_FAILURES.until(txn, "last", moment(before)), limit)

    async def _delete(self, table: Table[Record], old: Callable[[Txn], Iterator[Record]], limit: int) -> Deleted:
        def write(txn: Txn) -> Deleted:
            chosen = first(old(txn), limit + 1)
            for record in chosen[:limit]:
                table.delete(txn, record)
            return deleted(len(chosen), limit)

        return await self._database.write(write)


def deleted(found: int, limit: int) -> Deleted:
    """What a step has deleted that has found so many records, one more than the limit at most."""
    return Deleted(count=min(found, limit), is_last=found <= limit)
