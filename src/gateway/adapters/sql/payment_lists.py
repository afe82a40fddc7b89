"""Lists of payments: which index finds the payments of a filter, and which conditions choose among them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, and_, or_

from gateway.adapters.sql.bounded_lists import ROWS_PER_STEP, Conditions, ListQuery, Ranges
from gateway.adapters.sql.created_times import created_within, ids_within
from gateway.adapters.sql.tables.base import literal
from gateway.adapters.sql.tables.ledger import IS_NOT_CAPTURED, payments
from gateway.application.ports.reader import PaymentFilter
from gateway.domain.payment_status import UNFINISHED, PaymentStatus, after_its_time

_EVERY: Final[Conditions] = ()


def payment_query(where: PaymentFilter, ahead: timedelta) -> ListQuery:
    """The look-up of the payments of a filter.

    Args:
        where: Which payments.
        ahead: How far ids may be ahead of `created_at`.
    """

    def matching(looked: FromClause) -> Conditions:
        columns = looked.c
        return [
            *_others_than_one_party(where, columns),
            *_equal((columns.currency, where.currency), (columns.reference, where.reference)),
            *_status_conditions(columns, where.status, where.as_of),
            *created_within(columns.created_at, where.created_after, where.created_before),
        ]

    by_reference = where.merchant_id is not None and where.reference is not None
    return ListQuery(
        table=payments,
        id_column=payments.c.id,
        ways=_ways(where),
        unordered=_equal((payments.c.merchant_id, where.merchant_id), (payments.c.reference, where.reference))
        if by_reference
        else None,
        ids=ids_within(payments.c.id, "pay", where.created_after, where.created_before, ahead),
        matching=matching,
        whole=lambda found: found,
        rows_per_step=ROWS_PER_STEP,
    )


def _ways(where: PaymentFilter) -> Sequence[Ranges]:
    """By each party that is given, and by the status if an index has it."""
    parties = _equal((payments.c.customer_id, where.customer_id), (payments.c.merchant_id, where.merchant_id))
    statuses = _statuses_before(where.status, where.as_of)
    ranges: Sequence[Conditions] = [_EVERY]
    if PaymentStatus.CAPTURED not in statuses:
        ranges = [(payments.c.status == literal(status), IS_NOT_CAPTURED) for status in statuses]
    if not parties:
        return [Ranges([_EVERY])]
    return [Ranges([(party, *conditions) for conditions in ranges]) for party in parties]


def _statuses_before(status: PaymentStatus | None, as_of: datetime | None) -> Sequence[PaymentStatus]:
    """The stored statuses of payments that have a status, the expiry of some of which was not written yet."""
    if status is None:
        return list(PaymentStatus)
    if as_of is None:
        return [status]
    return [status, *_becoming(status)]


def _others_than_one_party(where: PaymentFilter, columns: Any) -> Conditions:
    """The conditions on parties, if there are two: one of them is the way."""
    parties = _equal((columns.customer_id, where.customer_id), (columns.merchant_id, where.merchant_id))
    return parties if len(parties) > 1 else []


def _equal(*wanted: tuple[ColumnElement[Any], str | None]) -> list[ColumnElement[bool]]:
    """That columns have these values; `None` does not limit."""
    return [column == str(value) for column, value in wanted if value is not None]


def _status_conditions(columns: Any, status: PaymentStatus | None, as_of: datetime | None) -> list[ColumnElement[bool]]:
    """That payments stand so at a time, whether or not their expiry has been written down."""
    if status is None:
        return []
    kept = columns.status == literal(status)
    if as_of is None:
        return [kept]
    is_over = columns.expires_at <= as_of
    if status in UNFINISHED:
        return [and_(kept, or_(columns.expires_at.is_(None), ~is_over))]
    becoming = [and_(columns.status == literal(each), is_over) for each in _becoming(status)]
    return [or_(kept, *becoming)]


def _becoming(status: PaymentStatus) -> Sequence[PaymentStatus]:
    """The statuses that become this one when their time is over."""
    return [each for each in sorted(UNFINISHED) if after_its_time(each) is status]
