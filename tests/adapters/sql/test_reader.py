"""Lists on Postgres read little more than what they show, however long the history and however old the statistics."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.adapters.sql.engine import postgres_engine
from gateway.adapters.sql.id_times import ids_from
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.reader import SqlReader
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.tables import metadata
from gateway.application.ports.reader import AccountFilter, PaymentFilter, TransactionFilter
from gateway.domain.account import AccountId
from gateway.domain.payment import PaymentId
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.transaction import TransactionId
from gateway.domain.user import UserId

ROWS = 20_000
START = datetime(2030, 1, 1, tzinfo=UTC)
CUSTOMER, MERCHANT = UserId("usr_1"), UserId("usr_2")
LONG_AGO = START + timedelta(hours=1)

FILL = (
    """INSERT INTO accounts SELECT 'acc_' || n, 'usr_' || n, 'customer', 'USD', 0, 0, 0, 0, 'open', 1, created_at, 0, 0
       FROM unnest(CAST(:ids AS text[]), CAST(:times AS timestamptz[])) WITH ORDINALITY AS made(id, created_at, n)""",
    """INSERT INTO payments SELECT 'pay' || id, 'captured', 1, 'USD', 'automatic', 'usr_' || n % 10, 'usr_' || n % 5,
       1, 0, 0, NULL, NULL, '{}', NULL, NULL, 1, created_at, created_at, 0, 0, 0, 0
       FROM unnest(CAST(:ids AS text[]), CAST(:times AS timestamptz[])) WITH ORDINALITY AS made(id, created_at, n)""",
    """INSERT INTO transfers SELECT 'txn' || id, 0, 'payment', 'pay' || id, 'usr_' || n % 10, 'usr_' || n % 5, NULL,
       NULL, created_at, 'post', 1, 'USD', 'acc_1', 0, 0, 1, 'acc_2', 1, 0, 1
       FROM unnest(CAST(:ids AS text[]), CAST(:times AS timestamptz[])) WITH ORDINALITY AS made(id, created_at, n)""",
)
BLOCKS_MAX = 200
"""Of 8 KiB. A page of a list needs some dozens; each of the tables has more than this."""

Ask = Callable[[SqlReader], Awaitable[Any]]

QUESTIONS: dict[str, Ask] = {
    "an account": lambda reader: reader.account(AccountId("acc_1")),
    "accounts of an owner": lambda reader: reader.accounts(AccountFilter(owner_id=CUSTOMER), before=None, limit=21),
    "a payment": lambda reader: reader.payment(PaymentId("pay_1")),
    "payments of a customer": lambda reader: reader.payments(
        PaymentFilter(customer_id=CUSTOMER), before=None, limit=21
    ),
    "payments of a merchant": lambda reader: reader.payments(
        PaymentFilter(merchant_id=MERCHANT), before=None, limit=21
    ),
    "a later page": lambda reader: reader.payments(
        PaymentFilter(merchant_id=MERCHANT), before=PaymentId(ids_from("pay", LONG_AGO)), limit=21
    ),
    "payments of a merchant long ago": lambda reader: reader.payments(
        PaymentFilter(merchant_id=MERCHANT, created_before=LONG_AGO), before=None, limit=21
    ),
    "failed payments of a merchant in an hour": lambda reader: reader.payments(
        PaymentFilter(
            merchant_id=MERCHANT,
            status=PaymentStatus.FAILED,
            created_after=LONG_AGO,
            created_before=LONG_AGO + timedelta(minutes=1),
        ),
        before=None,
        limit=21,
    ),
    "all payments": lambda reader: reader.payments(PaymentFilter(), before=None, limit=21),
    "a transaction": lambda reader: reader.transaction(TransactionId("txn_1")),
    "transactions of a customer": lambda reader: reader.transactions(
        TransactionFilter(customer_id=CUSTOMER), before=None, limit=21
    ),
    "transactions of a merchant": lambda reader: reader.transactions(
        TransactionFilter(merchant_id=MERCHANT), before=None, limit=21
    ),
    "transactions of a merchant long ago": lambda reader: reader.transactions(
        TransactionFilter(merchant_id=MERCHANT, created_before=LONG_AGO), before=None, limit=21
    ),
    "transactions of an account in a minute long ago": lambda reader: reader.transactions(
        TransactionFilter(
            merchant_id=MERCHANT,
            account_id=AccountId("acc_2"),
            created_after=LONG_AGO,
            created_before=LONG_AGO + timedelta(minutes=1),
        ),
        before=None,
        limit=21,
    ),
    "transactions of a payment": lambda reader: reader.transactions(
        TransactionFilter(payment_id=PaymentId(ids_from("pay", LONG_AGO))), before=None, limit=21
    ),
    "transactions of an account of a merchant": lambda reader: reader.transactions(
        TransactionFilter(merchant_id=MERCHANT, account_id=AccountId("acc_2")), before=None, limit=21
    ),
}


@pytest.fixture
async def engine(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    """The engine of look-ups, to long tables of whose length the planner has not been told."""
    opened = postgres_engine(postgres_url, SqlLimits())
    # A record each second, with an id of its second.
    times = [START + timedelta(seconds=n) for n in range(ROWS)]
    ids = [ids_from("", each) for each in times]
    async with opened.begin() as connection:
        for table in metadata.tables:
            await connection.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
        for statement in FILL:
            await connection.execute(text(statement), {"ids": ids, "times": times})
    yield opened
    await opened.dispose()


async def test_every_list_reads_what_it_shows_and_little_else(engine: AsyncEngine) -> None:
    for question, ask in QUESTIONS.items():
        for sql, parameters in await statements_of(engine, ask):
            plan, blocks = await explained(engine, sql, parameters)
            assert blocks <= BLOCKS_MAX, f"{question}: {plan}"


async def test_going_through_everything_reads_more(engine: AsyncEngine) -> None:
    # So that the test above can fail: totals add up all accounts.
    [(sql, parameters)] = await statements_of(engine, lambda reader: reader.totals())
    _, blocks = await explained(engine, sql, parameters)
    assert blocks > BLOCKS_MAX


async def statements_of(engine: AsyncEngine, ask: Ask) -> list[tuple[str, Any]]:
    """What a look-up sends, with its parameters."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, sql: str, parameters: Any, *_: object) -> None:
        sent.append((sql, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    transactions = ShortTransactions(engine)
    await ask(SqlReader(transactions, transactions))
    event.remove(engine.sync_engine, "before_cursor_execute", note)
    return sent


async def explained(engine: AsyncEngine, sql: str, parameters: Any) -> tuple[str, int]:
    """The plan that was carried out, and how many blocks it touched."""
    async with engine.connect() as connection:
        explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}"
        [[found]] = (await connection.exec_driver_sql(explain, parameters)).all()
    plan = json.loads(found) if isinstance(found, str) else found
    top = plan[0]["Plan"]
    return json.dumps(top, indent=1), top["Shared Hit Blocks"] + top["Shared Read Blocks"]
