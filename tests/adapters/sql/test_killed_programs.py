"""A program that is killed at any step of an order and its payment has both of them, or neither."""

import asyncio
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway import (
    TRUSTED,
    Gateway,
    MakeDeposit,
    Money,
    Pay,
    PaymentFilter,
    PaymentOrder,
    PaymentStatus,
    open_gateway,
)
from gateway.adapters.sql import migrate
from gateway.testing import assert_sound
from support import dying_shop
from support.dying_shop import ADA, AFTER_COMMIT, BEFORE_COMMIT, LIVED, PRICE_MINOR, SHOP, a_payment, order_id

MONEY_MINOR = 1_000_000
OTHERS_AT_EACH_STEP = 2


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else f"sqlite:///{tmp_path}/a.db"


async def orders_of(engine: AsyncEngine) -> set[str]:
    async with engine.connect() as connection:
        return set((await connection.execute(text("SELECT id FROM orders"))).scalars())


async def paid_orders(gateway: Gateway) -> set[str]:
    """The orders that were paid. No other payment has a reference."""
    found: set[str] = set()
    before = None
    while True:
        page = await gateway.queries.payments(TRUSTED, PaymentFilter(status=PaymentStatus.CAPTURED), before=before)
        found |= {payment.reference for payment in page.items if payment.reference is not None}
        if not page.has_more:
            return found
        before = page.items[-1].id


async def test_a_program_that_is_killed_at_any_step_has_the_order_and_its_payment_or_neither(url: str) -> None:
    await migrate(url)
    on_postgres = url.startswith("postgresql")
    scheme = "postgresql+asyncpg" if on_postgres else "sqlite+aiosqlite"
    engine = create_async_engine(url.replace(url.partition(":")[0], scheme, 1))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE orders (id TEXT PRIMARY KEY)"))
    async with open_gateway(url) as one, open_gateway(url) as another:
        ada = await one.accounts.open_customer(ADA, "EUR")
        await one.accounts.open_merchant(SHOP, "EUR")
        await one.execute(MakeDeposit(account_id=ada.id, amount=Money(MONEY_MINOR, "EUR"), owner_id=None))
        # On SQLite all writers take turns, and wait for each other: a lock that is held proves nothing there.
        steps, others = await killed(url, [one, another] if on_postgres else [])
        ordered = await orders_of(engine)
        assert await paid_orders(one) == ordered
        committed = steps.index(BEFORE_COMMIT) + 1
        assert ordered == {order_id(number) for number in range(committed, len(steps))}
        assert steps[committed - 2 : committed + 1] == ["after execute_in", BEFORE_COMMIT, AFTER_COMMIT]
        assert steps[-2:] == ["before telling", LIVED]
        await assert_sound(one)

        # The program begins again, with the orders that it has not.
        again = [order_id(number) for number in range(committed)]
        for number, each in enumerate(again):
            async with engine.begin() as connection:
                await connection.execute(text("INSERT INTO orders VALUES (:id)"), {"id": each})
                await another.execute_in(connection, a_payment(number), idempotency_key=each)
        assert await paid_orders(one) == await orders_of(engine) == ordered | set(again)
        paid = MONEY_MINOR - (await one.accounts.open_customer(ADA, "EUR")).available
        assert paid == PRICE_MINOR * (len(steps) + others)
        await assert_sound(one)
    await engine.dispose()


async def killed(url: str, gateways: list[Gateway]) -> tuple[list[str], int]:
    """The steps at which the program was killed, in order, and how many payments others have made meanwhile."""
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-B", dying_shop.__file__, url, stdout=asyncio.subprocess.PIPE
    )
    assert program.stdout is not None
    steps: list[str] = []
    others = 0
    pay = Pay(order=PaymentOrder(customer_id=ADA, merchant_id=SHOP, amount=Money(PRICE_MINOR, "EUR")))
    async for line in program.stdout:
        number, _, step = line.decode().rstrip("\n").partition(" ")
        assert int(number) == len(steps)
        steps.append(step)
        # The next one has begun: others pay the same accounts, in two processes' stead.
        await asyncio.gather(*(gateway.execute(pay) for gateway in gateways * OTHERS_AT_EACH_STEP))
        others += len(gateways) * OTHERS_AT_EACH_STEP
    assert await program.wait() == 0
    return steps, others
