"""Deletion of old records from dictionaries."""

from datetime import datetime, timedelta
from itertools import takewhile

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.adapters.memory.login_failures import MemoryLoginFailures
from gateway.adapters.memory.sessions import MemorySessions
from gateway.application.ports.audit_records import ChainEnd, ChainLink
from gateway.application.ports.housekeeping import Deleted, EventReaders, Housekeeping

_MICROSECOND = timedelta(microseconds=1)


class MemoryHousekeeping(Housekeeping):
    """See the port. A transaction that has loaded a record may not have committed: deletions take turns with them."""

    def __init__(self, database: MemoryDatabase, sessions: MemorySessions, login_failures: MemoryLoginFailures) -> None:
        self._database = database
        self._sessions = sessions
        self._login_failures = login_failures

    @override
    async def delete_answers(self, *, before: datetime, limit: int) -> Deleted:
        async with self._database.transaction:
            answers = self._database.answers
            old = [key for key, answer in answers.items() if answer.created_at < before]
            for key in old[:limit]:
                del answers[key]
        return Deleted(count=len(old[:limit]), is_last=len(old) <= limit)

    @override
    async def oldest_answer(self) -> datetime | None:
        return min((answer.created_at for answer in self._database.answers.values()), default=None)

    @override
    async def event_readers(self) -> EventReaders:
        database = self._database
        waiting = (each.position for queue in database.delivery_queues.values() for each in queue.waiting.values())
        return EventReaders(
            cursors=dict(database.event_cursors),
            first_waiting=min(waiting, default=None),
            replayed_since=min((each.created_from for each in database.webhook_replays.values()), default=None),
        )

    @override
    async def delete_events(self, *, before: datetime, until: int, limit: int) -> Deleted:
        database = self._database
        # Each event as if it were a transaction of its own: there are no batches here.
        deletable = database.events[: max(min(until, database.newest_position - 1) - database.events_deleted, 0)]
        old = list(takewhile(lambda event: event.created_at < before, deletable[: limit + 1]))
        is_last, old = len(old) <= limit, old[:limit]
        if old:
            newest = max(event.created_at for event in old)
            database.events_kept_since = max(database.events_kept_since or newest, newest + _MICROSECOND)
            database.events_deleted += len(old)
            del database.events[: len(old)]
        return Deleted(count=len(old), is_last=is_last)

    @override
    async def index_events(self, *, blocks_max: int) -> bool:
        return False

    @override
    async def delete_quotes(self, *, before: datetime, limit: int) -> Deleted:
        async with self._database.transaction:
            quotes = self._database.quotes
            old = [quote.id for quote in quotes.values() if quote.payment_id is None and quote.expires_at < before]
            for quote_id in old[:limit]:
                del quotes[quote_id]
        return Deleted(count=len(old[:limit]), is_last=len(old) <= limit)

    @override
    async def delete_sessions(self, *, before: datetime, limit: int) -> Deleted:
        return self._sessions.delete_ended(before, limit)

    @override
    async def delete_audit_records(self, *, before: datetime, limit: int) -> Deleted:
        database = self._database

        def is_old(link: ChainLink) -> bool:
            record = database.audit_log.get(link.audit_id)
            return record is not None and record.created_at < before

        old = list(takewhile(is_old, database.audit_chain[:-1]))[:limit]
        if old:
            database.audit_deleted = ChainEnd(old[-1].position, old[-1].hash)
            del database.audit_chain[: len(old)]
            for link in old:
                del database.audit_log[link.audit_id]
        return Deleted(count=len(old), is_last=len(old) < limit)

    @override
    async def delete_login_failures(self, *, before: datetime, limit: int) -> Deleted:
        return self._login_failures.delete_old(before, limit)
