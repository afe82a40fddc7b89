"""Deletion of old rows, and the index of events. The table `retention` holds how far deletion has come.

Each step is one transaction. On Postgres, workers pass by what another worker is deleting: they skip locked rows, of
`retention` or of the table itself. On SQLite, transactions come one after the other.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final, NamedTuple

from typing_extensions import override

from gateway.adapters.sql import housekeeping_statements as statements
from gateway.adapters.sql.answer_deletion import delete_answers_on_postgres, delete_answers_on_sqlite
from gateway.adapters.sql.engine import POSTGRES
from gateway.adapters.sql.event_index import EventIndex
from gateway.adapters.sql.events import SqlEventFeed
from gateway.adapters.sql.housekeeping_progress import ANSWERS, AUDIT, EVENTS, NEVER, QUOTES, Progress, begin, move
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.application.ports.housekeeping import Deleted, EventReaders, Housekeeping

_MICROSECOND: Final = timedelta(microseconds=1)
_NOTHING: Final = Deleted(count=0, is_last=True)


class _Batch(NamedTuple):
    """The events of one transaction."""

    first_position: int
    size: int

    @property
    def last_position(self) -> int:
        return self.first_position + self.size - 1


class SqlHousekeeping(Housekeeping):
    """See the port."""

    def __init__(self, transactions: ShortTransactions, feed: SqlEventFeed) -> None:
        self._transactions = transactions
        self._dialect = transactions.dialect_name
        self._feed = feed
        self._index = EventIndex(transactions)

    @override
    async def delete_answers(self, *, before: datetime, limit: int) -> Deleted:
        delete = delete_answers_on_postgres if self._dialect == POSTGRES else delete_answers_on_sqlite
        return await self._transactions.write(lambda transaction: delete(transaction, before, limit))

    @override
    async def oldest_answer(self) -> datetime | None:
        if self._dialect == POSTGRES:
            rows = await self._transactions.read(statements.PROGRESS, {"name": ANSWERS})
            return rows[0].kept_since if rows else NEVER
        rows = await self._transactions.read(statements.FIRST_ANSWERS, {"limit": 1})
        return rows[0].created_at if rows else None

    @override
    async def event_readers(self) -> EventReaders:
        # The fan-out moves its cursor and adds deliveries together: all deliveries up to the cursor are visible.
        cursors = await self._transactions.read(statements.CURSORS)
        [[first_waiting, replayed_since]] = await self._transactions.read(statements.WAITING)
        return EventReaders(
            cursors={row.name: row.position for row in cursors},
            first_waiting=first_waiting,
            replayed_since=replayed_since,
        )

    @override
    async def delete_events(self, *, before: datetime, until: int, limit: int) -> Deleted:
        async def delete(transaction: DatabaseTransaction, progress: Progress) -> Deleted:
            batches, is_last = await self._first_batches(transaction, until, limit)
            if not batches:
                return _NOTHING
            first, last = batches[0].first_position, batches[-1].first_position
            newest = await transaction.rows(statements.NEWEST_EVENTS[self._dialect], {"first": first, "last": last})
            old = [row.first_position for row in takewhile(lambda row: row.created_at < before, newest)]
            if not old:
                return _NOTHING
            chosen = [batch for batch in batches if batch.first_position <= old[-1]]
            count = await transaction.change(statements.DELETE_EVENTS[self._dialect], {"first": first, "last": old[-1]})
            await transaction.change(statements.DELETE_BATCHES, {"last": old[-1]})
            await transaction.change(statements.DELETE_BLOCKS, {"until": chosen[-1].last_position})
            kept_since = max(row.created_at for row in newest[: len(old)]) + _MICROSECOND
            await move(
                transaction, EVENTS, str(chosen[-1].last_position), kept_since=max(kept_since, progress.kept_since)
            )
            return Deleted(count=count, is_last=is_last and len(chosen) == len(batches))

        await self._feed.newest()  # Gives committed events a position: the feed has no others.
        return await self._with_progress(EVENTS, delete)

    async def _first_batches(
        self, transaction: DatabaseTransaction, until: int, limit: int
    ) -> tuple[Sequence[_Batch], bool]:
        """The next batches that may be deleted, and whether there are no more."""
        [[newest]] = await transaction.rows(statements.NEWEST_BATCH)
        if newest is None:
            return (), True
        rows = await transaction.rows(statements.FIRST_BATCHES, {"until": until, "newest": newest, "limit": limit + 1})
        batches = [each for each in (_Batch(*row) for row in rows) if each.last_position <= until]
        chosen: list[_Batch] = []
        count = 0
        for batch in batches:
            count += batch.size
            if chosen and count > limit:
                break
            chosen.append(batch)
        return chosen, len(chosen) == len(batches)

    @override
    async def index_events(self, *, blocks_max: int) -> bool:
        newest, end = await self._feed.newest(), await self._index.end()
        extended = await self._index.extend(end, blocks_max=blocks_max) if newest > end else end
        return extended > end

    @override
    async def delete_quotes(self, *, before: datetime, limit: int) -> Deleted:
        async def delete(transaction: DatabaseTransaction, progress: Progress) -> Deleted:
            after = progress.deleted_until
            rows = await transaction.rows(statements.NEXT_QUOTES, {"after": after, "limit": limit})
            expired = [row.id for row in takewhile(lambda row: row.expires_at < before, rows)]
            if not expired:
                return _NOTHING
            given = {"after": after, "until": expired[-1], "before": before}
            count = await transaction.change(statements.DELETE_QUOTES, given)
            await move(transaction, QUOTES, expired[-1], kept_since=before)
            return Deleted(count=count, is_last=len(expired) < limit)

        return await self._with_progress(QUOTES, delete)

    @override
    async def delete_sessions(self, *, before: datetime, limit: int) -> Deleted:
        async def delete(transaction: DatabaseTransaction) -> Deleted:
            given = {"before": before, "limit": limit}
            ids = [row[0] for row in await transaction.rows(statements.REVOKED_SESSIONS[self._dialect], given)]
            if len(ids) < limit:
                expired = await transaction.rows(statements.EXPIRED_TOKENS, given)
                others = {row[0] for row in expired[: limit - len(ids)]} - set(ids)
                locked = await transaction.rows(statements.LOCK_SESSIONS[self._dialect], {"ids": list(others)})
                ids += [row[0] for row in locked]
            if not ids:
                return _NOTHING
            used = await transaction.rows(statements.USED_TOKENS, {"ids": ids, "limit": limit})
            count = 0
            if used:
                count = await transaction.change(statements.DELETE_TOKENS, {"hashes": [row[0] for row in used]})
            if len(used) == limit:
                return Deleted(count=count, is_last=False)
            count += await transaction.change(statements.DELETE_TOKENS_OF, {"ids": ids})
            count += await transaction.change(statements.DELETE_SESSIONS, {"ids": ids})
            return Deleted(count=count, is_last=len(ids) < limit)

        return await self._transactions.write(delete)

    @override
    async def delete_audit_records(self, *, before: datetime, limit: int) -> Deleted:
        async def delete(transaction: DatabaseTransaction, progress: Progress) -> Deleted:  # noqa: ARG001 - it begins at the first link there is.
            links = await transaction.rows(statements.FIRST_LINKS, {"limit": limit})
            old = list(takewhile(lambda row: row.created_at is not None and row.created_at < before, links))
            if not old:
                return _NOTHING
            last = old[-1]
            await transaction.change(statements.DELETE_AUDIT_RECORDS, {"ids": [row.audit_id for row in old]})
            count = await transaction.change(statements.DELETE_LINKS, {"last": last.position})
            await move(transaction, AUDIT, f"{last.position} {bytes(last.hash).hex()}", kept_since=before)
            return Deleted(count=count, is_last=len(old) < limit)

        return await self._with_progress(AUDIT, delete)

    @override
    async def delete_login_failures(self, *, before: datetime, limit: int) -> Deleted:
        async def delete(transaction: DatabaseTransaction) -> Deleted:
            old = await transaction.rows(statements.OLD_FAILURES[self._dialect], {"before": before, "limit": limit})
            if not old:
                return _NOTHING
            count = await transaction.change(statements.DELETE_FAILURES, {"scopes": [row[0] for row in old]})
            return Deleted(count=count, is_last=count < limit)

        return await self._transactions.write(delete)

    async def _with_progress(
        self, name: str, delete: Callable[[DatabaseTransaction, Progress], Awaitable[Deleted]]
    ) -> Deleted:
        async def work(transaction: DatabaseTransaction) -> Deleted:
            progress = await begin(transaction, self._dialect, name)
            return _NOTHING if progress is None else await delete(transaction, progress)

        return await self._transactions.write(work)
