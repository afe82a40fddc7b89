"""Deletion of old answers, which have no index by time.

On Postgres, a pass goes through the pages of the table in their order, some in each step. At its end, no answer is left
that was created before its moment. A rewrite of the table (VACUUM FULL) moves rows: the pass then begins anew.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Self

from gateway.adapters.sql import housekeeping_statements as statements
from gateway.adapters.sql.engine import POSTGRES
from gateway.adapters.sql.housekeeping_progress import ANSWERS, begin, move
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.application.ports.housekeeping import Deleted

PAGES_PER_STEP: Final = 128
"""1 MiB: some 2,000 answers are looked at."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class _Pass(NamedTuple):
    """A pass through the table: the next page, in which file of the table, and the moment before which it deletes."""

    page: int
    file: int
    before: datetime

    @classmethod
    def of(cls, text: str) -> Self:
        page, file, before = map(int, text.split())
        return cls(page, file, _EPOCH + before * _MICROSECOND)

    def __str__(self) -> str:
        return f"{self.page} {self.file} {(self.before - _EPOCH) // _MICROSECOND}"


async def delete_answers_on_postgres(transaction: DatabaseTransaction, before: datetime, limit: int) -> Deleted:
    """One step of the pass that is under way, or the first step of the next one."""
    progress = await begin(transaction, POSTGRES, ANSWERS)
    if progress is None or progress.kept_since >= before:
        return Deleted(count=0, is_last=True)
    [[file, pages]] = await transaction.rows(statements.ANSWER_PAGES)
    current = _Pass.of(progress.deleted_until) if progress.deleted_until else None
    if current is None or current.file != file:
        current = _Pass(page=0, file=file, before=before)
    if current.before > before:
        # Another worker keeps answers for a shorter time.
        return Deleted(count=0, is_last=True)
    behind = current.page + PAGES_PER_STEP
    given = {"first": f"({current.page},0)", "behind": f"({behind},0)", "before": current.before, "limit": limit}
    count = await transaction.change(statements.DELETE_ANSWERS, given)
    if count == limit:
        # There may be more in these pages.
        await move(transaction, ANSWERS, str(current), kept_since=progress.kept_since)
        return Deleted(count=count, is_last=False)
    if behind < pages:
        await move(transaction, ANSWERS, str(current._replace(page=behind)), kept_since=progress.kept_since)
        return Deleted(count=count, is_last=False)
    await move(transaction, ANSWERS, "", kept_since=current.before)
    return Deleted(count=count, is_last=current.before >= before)


async def delete_answers_on_sqlite(transaction: DatabaseTransaction, before: datetime, limit: int) -> Deleted:
    """Delete old answers among those that were inserted first."""
    rows = await transaction.rows(statements.FIRST_ANSWERS, {"limit": limit})
    if not rows:
        return Deleted(count=0, is_last=True)
    count = await transaction.change(statements.DELETE_FIRST_ANSWERS, {"last": rows[-1].rowid, "before": before})
    return Deleted(count=count, is_last=count < limit)
