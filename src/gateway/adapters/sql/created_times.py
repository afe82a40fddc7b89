"""Lists of a time: conditions on ids, which indexes have in order, and on `created_at`, which is shown."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement

from gateway.adapters.sql.id_times import ids_from, ids_until


def ids_within(
    id_column: ColumnElement[str], prefix: str, after: datetime | None, before: datetime | None, ahead: timedelta
) -> list[ColumnElement[bool]]:
    """That ids are of records of a time. No id is of a moment before its record, or later by more than `ahead`."""
    return [
        *([] if after is None else [id_column >= ids_from(prefix, after)]),
        *([] if before is None else [id_column < ids_until(prefix, before, ahead=ahead)]),
    ]


def created_within(
    created_at: ColumnElement[datetime], after: datetime | None, before: datetime | None
) -> list[ColumnElement[bool]]:
    """That records are of a time: `after` ≤ `created_at` < `before`."""
    return [
        *([] if after is None else [created_at >= after]),
        *([] if before is None else [created_at < before]),
    ]
