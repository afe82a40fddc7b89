"""Transactions of two processes on one database: what one has not loaded again, the database tells it."""

from datetime import timedelta

import pytest

from gateway.adapters.sql import SqlLimits, migrate, open_sql_storage
from gateway.adapters.sql.hybrid_clock import HybridClock
from gateway.adapters.system.identifiers import TimeOrderedIds
from gateway.application.engine.batch import Batch
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.ports.reader import TransactionFilter
from gateway.application.ports.unit_of_work import Changes
from gateway.contracts.records import NOW, a_transaction
from support.builders import CUSTOMER_ACCOUNT, StandingClock, opened, pay, usd

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("limits", [SqlLimits(), SqlLimits(optimistic=False)], ids=["optimistic", "locking"])
async def test_a_history_made_by_two_processes_is_in_the_order_of_its_versions(
    empty_url: str, limits: SqlLimits
) -> None:
    await migrate(empty_url)
    ahead, right = StandingClock(NOW + timedelta(minutes=10)), StandingClock(NOW)
    async with open_sql_storage(empty_url, limits) as one, open_sql_storage(empty_url, limits) as other:
        await opened(one)
        executors = [
            CommandExecutor(
                OneByOne(
                    retrying(
                        Batch(unit_of_work=storage.unit_of_work, clock=clock, identifiers=TimeOrderedIds(clock)).run,
                        RetryLimits(),
                    )
                ),
                TimeOrderedIds(),
            )
            for storage, clock in ((one, ahead), (other, right))
        ]
        for number in range(12):
            # Two in a row each: the second one is decided on accounts that the process remembers.
            await executors[number // 2 % 2].execute(pay(usd(1)))
            ahead.advance(1)
            right.advance(1)
        history = await other.reader.transactions(
            TransactionFilter(account_id=CUSTOMER_ACCOUNT), before=None, limit=100
        )
        assert [transaction.transfers[0].debit_after.posted for transaction in history[:-1]] == list(range(88, 100))
        for transaction in history:
            at = transaction.created_at
            found = await one.reader.transactions(
                TransactionFilter(created_after=at, created_before=at + SECOND), before=None, limit=100
            )
            assert transaction.id in {each.id for each in found}


@pytest.mark.parametrize(
    ("ahead", "seconds"),
    [
        (timedelta(microseconds=1), 1),
        (SECOND, 1),
        (SECOND + timedelta(microseconds=1), 2),
        (3 * SECOND, 4),
        (timedelta(minutes=10), 1024),
    ],
)
def test_how_far_ids_are_ahead_is_told_once_in_powers_of_two(ahead: timedelta, seconds: int) -> None:
    order = HybridClock()
    transaction = a_transaction(1)
    changes = Changes(transactions_new=[transaction], latest_at=transaction.created_at + ahead)
    [row] = order.ids_ahead(changes)
    assert row == (transaction.id, seconds)
    # Until it is committed, nobody knows of it.
    assert order.ids_ahead(changes) == [row]
    order.committed([row])
    assert not order.ids_ahead(changes)
    further = Changes(transactions_new=[transaction], latest_at=transaction.created_at + (seconds + 1) * SECOND)
    assert order.ids_ahead(further) == [(transaction.id, 2 * seconds)]


def test_ids_that_are_of_the_moment_of_their_transactions_are_not_ahead() -> None:
    assert not HybridClock().ids_ahead(Changes(transactions_new=[a_transaction(1)], latest_at=NOW))
    assert not HybridClock().ids_ahead(Changes(latest_at=NOW))
    assert not HybridClock().ids_ahead(Changes(transactions_new=[a_transaction(1)]))
