"""The plans by which Postgres runs every hot statement, as its own module auto_explain tells them."""

import re
from typing import Any, Final
from unittest.mock import patch

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
from sqlalchemy import event
from sqlalchemy.pool import Pool

from bench.connection import connected
from bench.population import People, batch_on, paid, payment, payments, submission
from gateway.adapters.sql import open_sql_storage, write_pool
from gateway.adapters.sql.postgres_connections import WriteConnection
from gateway.application.ports.reader import PaymentFilter, TransactionFilter

TOLD: Final = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_parameter_max_length": "0",
    "client_min_messages": "log",
}
BATCH: Final = 64
LIMIT: Final = 100
QUERY_CHARACTERS_MAX: Final = 200
_PLAN: Final = re.compile(r"Query Text: (?P<query>.*?)\n(?P<plan>[^\n]*\(cost=.*)", re.DOTALL)
_OURS: Final = re.compile(r"\b(accounts|payments|transfers|answers|events)\b")


async def hot_plans(url: str, people: People) -> list[str]:
    """A text for each statement: how it begins, and how it was run. The database tells everyone from now on."""
    async with connected(url) as connection:
        name = await connection.fetchval("SELECT current_database()")
        for setting, value in TOLD.items():
            await connection.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'")
    messages: list[str] = []

    def listen(driver: asyncpg.Connection) -> None:
        driver.add_log_listener(lambda _, message: messages.append(message.message))

    def listen_to_readers(adapted: Any, _record: object) -> None:
        listen(adapted.driver_connection)

    class Listening(WriteConnection):
        """A writer who listens from its beginning."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            listen(self)

    event.listen(Pool, "connect", listen_to_readers)
    try:
        with patch.object(write_pool, "WriteConnection", Listening):
            await _do_everything(url, people)
    finally:
        event.remove(Pool, "connect", listen_to_readers)
    return [text for text in map(_shortened, messages) if text]


async def _do_everything(url: str, people: People) -> None:
    """What is hot: a batch of payments, and the pages that people look at."""
    async with open_sql_storage(url) as storage:
        customer, merchant = people.customers[0], people.merchants[0]
        commands = [payment(customer, merchant), *payments(people, BATCH - 1)]
        paid(await batch_on(storage).run([submission(command) for command in commands]))
        reader = storage.reader
        [newest, *_] = await reader.payments(PaymentFilter(customer_id=customer), before=None, limit=LIMIT)
        await reader.payments(PaymentFilter(merchant_id=merchant), before=newest.id, limit=LIMIT)
        await reader.transactions(TransactionFilter(customer_id=customer), before=None, limit=LIMIT)
        await reader.transactions(TransactionFilter(merchant_id=merchant), before=None, limit=LIMIT)
        await reader.transactions(TransactionFilter(payment_id=newest.id), before=None, limit=LIMIT)


def _shortened(message: str) -> str:
    found = _PLAN.search(message)
    if found is None or not _OURS.search(found["query"]):
        return ""
    query = " ".join(found["query"].split())
    if len(query) > QUERY_CHARACTERS_MAX:
        query = query[:QUERY_CHARACTERS_MAX] + " …"
    return f"{query}\n\n{found['plan'].rstrip()}"
