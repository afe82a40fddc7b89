"""Lists of transactions: which index finds the transactions of a filter, and which conditions choose among them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, Select, or_, select

from gateway.adapters.sql.bounded_lists import ROWS_PER_STEP, Conditions, ListQuery, Ranges
from gateway.adapters.sql.created_times import created_within, ids_within
from gateway.adapters.sql.subqueries import REVERSED_BY, ZERO
from gateway.adapters.sql.tables.base import literal
from gateway.adapters.sql.tables.ledger import HAS_RARE_TYPE, RARE_TYPES, transfers
from gateway.application.ports.reader import TransactionFilter
from gateway.domain.account import AccountId

ROWS_WITH_LOOK_UP_PER_STEP: Final = 2_000
"""As `ROWS_PER_STEP`, if another row has to be looked up for each."""

_IS_FIRST: Final = transfers.c.position == ZERO
_later: Final = transfers.alias("later")


def transaction_query(where: TransactionFilter, ahead: timedelta) -> ListQuery:
    """The look-up of the transactions of a filter, by their first transfers.

    Args:
        where: Which transactions.
        ahead: How far ids may be ahead of `created_at`.
    """

    def matching(looked: FromClause) -> Conditions:
        columns = looked.c
        parties = _parties(where, columns)
        return [
            *(parties if len(parties) > 1 or where.payment_id is not None else ()),
            *_types(where, columns),
            *(() if where.account_id is None else (_touches(columns, where.account_id),)),
            *created_within(columns.created_at, where.created_after, where.created_before),
        ]

    return ListQuery(
        table=transfers,
        id_column=transfers.c.transaction_id,
        ways=_ways(where),
        unordered=None,
        ids=ids_within(transfers.c.transaction_id, "txn", where.created_after, where.created_before, ahead),
        matching=matching,
        whole=_with_all_transfers,
        rows_per_step=ROWS_PER_STEP if where.account_id is None else ROWS_WITH_LOOK_UP_PER_STEP,
    )


def _ways(where: TransactionFilter) -> Sequence[Ranges]:
    """By the payment, which has few; by each party that is given, and by the type if an index has it."""
    if where.payment_id is not None:
        return [Ranges([(transfers.c.payment_id == str(where.payment_id), _IS_FIRST)])]
    parties = _parties(where, transfers.c)
    if not parties:
        # Not `= 0`: without statistics, planners expect few rows of it, and would go through all to sort these.
        return [Ranges([(transfers.c.position <= ZERO,)])]
    types = [*_types(where, transfers.c), HAS_RARE_TYPE] if where.type in RARE_TYPES else []
    return [Ranges([(party, _IS_FIRST, *types)]) for party in parties]


def _parties(where: TransactionFilter, columns: Any) -> list[ColumnElement[bool]]:
    wanted = ((columns.customer_id, where.customer_id), (columns.merchant_id, where.merchant_id))
    return [column == str(user_id) for column, user_id in wanted if user_id is not None]


def _types(where: TransactionFilter, columns: Any) -> list[ColumnElement[bool]]:
    return [] if where.type is None else [columns.type == literal(where.type)]


def _touches(columns: Any, account_id: AccountId) -> ColumnElement[bool]:
    """That any transfer of a transaction moves money of this account."""
    later = select(_later.c.position).where(
        _later.c.transaction_id == columns.transaction_id,
        _later.c.position > ZERO,
        or_(_later.c.debit_account_id == account_id, _later.c.credit_account_id == account_id),
    )
    # Not `EXISTS`: Postgres would rather look for all such transfers of the ledger, once, and hash them.
    is_among_later = later.limit(1).scalar_subquery().is_not(None)
    return or_(columns.debit_account_id == account_id, columns.credit_account_id == account_id, is_among_later)


def _with_all_transfers(found: Select[Any]) -> Select[Any]:
    """All transfers of the transactions whose first ones were found."""
    page = found.subquery("page")
    return (
        select(transfers, REVERSED_BY)
        .join(page, page.c.transaction_id == transfers.c.transaction_id)
        .order_by(transfers.c.transaction_id.desc(), transfers.c.position)
    )
