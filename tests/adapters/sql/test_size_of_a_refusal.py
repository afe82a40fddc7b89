"""What a refused payment leaves in a database: little, since anybody without money can make many."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway import open_gateway
from gateway.adapters.sql import SqlLimits
from gateway.adapters.sql.engine import is_sqlite, postgres_engine, sqlite_engine
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.application.commands.pay import Pay
from gateway.domain.errors import InsufficientFunds
from gateway.domain.money import Money, currency_code
from gateway.domain.payment_terms import PaymentOrder
from gateway.domain.user import Role, UserId
from gateway.settings.values import Settings

BYTES_MAX = 2_500
"""Of one refusal with a key of 36 characters, in tables and indexes."""
COUNT = 1_000
USD = currency_code("USD")


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    found: str = request.getfixturevalue("postgres_url")
    return found


SIZES = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    "postgresql": """
        SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    """,
}


async def size_of(url: str) -> int:
    """The bytes of tables and indexes."""
    engine = sqlite_engine(url, SqlLimits()) if is_sqlite(url) else postgres_engine(url, SqlLimits())
    async with DatabaseTransaction(engine, writes=False) as transaction:
        [[size]] = await transaction.rows(text(SIZES[engine.dialect.name]))
    await engine.dispose()
    return int(size)


async def test_a_refused_payment_leaves_little(url: str, tmp_path: Path) -> None:
    async with open_gateway(Settings(database_url=url, data_dir=str(tmp_path))) as gateway:
        ids: list[UserId] = []
        for role in (Role.CUSTOMER, Role.MERCHANT):
            registered = await gateway.access.register(
                email=f"{role}@example.com", password="correct horse battery", role=role
            )
            ids.append(registered.user.id)
        customer, merchant = ids

        async def refused(number: int) -> None:
            order = PaymentOrder(customer_id=customer, merchant_id=merchant, amount=Money(1, USD), metadata={})
            with pytest.raises(InsufficientFunds):
                await gateway.execute(Pay(order=order), idempotency_key=f"{number:036}", owner_id=customer)

        await asyncio.gather(*(refused(number) for number in range(COUNT)))
        before = await size_of(url)
        await asyncio.gather(*(refused(number) for number in range(COUNT, 2 * COUNT)))
        each = (await size_of(url) - before) / COUNT
    assert each <= BYTES_MAX
