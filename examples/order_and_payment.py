"""An order and its payment in one transaction: both are committed, or neither is.

The shop's tables and the gateway's are in one database: SQLite here, Postgres alike. Without a payment there is no
order, and a shop that crashes in between has neither.
"""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Column, Integer, MetaData, Table, Text, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway import Gateway, MakeDeposit, Money, Pay, PaymentOrder, StorageUnavailable, open_gateway
from gateway.refusals import InsufficientFunds

metadata = MetaData()
orders = Table(
    "orders",
    metadata,
    Column("number", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("copies", Integer, nullable=False),
)
WRITE_ORDER = text("INSERT INTO orders VALUES (:number, :customer, :copies) ON CONFLICT (number) DO NOTHING")
PRICE_MINOR = 1_999
ATTEMPTS_MAX = 3


async def place_order(gateway: Gateway, engine: AsyncEngine, user: str, number: str, copies: int) -> str:
    """Write an order, and pay it. A refused payment leaves no order.

    Where a commit was not answered, nobody knows whether it was written. All of it is repeated: the order is found or
    written, and the same key gives the same payment.
    """
    customer = await gateway.accounts.open_customer(user, "EUR")
    shop = await gateway.accounts.open_merchant("bookshop", "EUR")
    pay = Pay(
        order=PaymentOrder(
            customer_id=customer.owner_id, merchant_id=shop.owner_id, amount=Money(copies * PRICE_MINOR, "EUR")
        )
    )
    attempt = 1
    while True:
        try:
            async with engine.begin() as connection:
                await find_or_write_order(connection, user, number, copies)
                await gateway.execute_in(connection, pay, idempotency_key=f"order-{number}", owner_id=customer.owner_id)
        except InsufficientFunds:
            return "not enough money, and no order"
        except (StorageUnavailable, DBAPIError):  # The first is the gateway's; a commit raises SQLAlchemy's own.
            if attempt == ATTEMPTS_MAX:
                raise
            attempt += 1
        else:
            return "ordered and paid"


async def find_or_write_order(connection: AsyncConnection, user: str, number: str, copies: int) -> None:
    """Write an order, unless an earlier attempt has.

    Raises:
        ValueError: The number is another order's.
    """
    await connection.execute(WRITE_ORDER, {"number": number, "customer": user, "copies": copies})
    written = (await connection.execute(select(orders).where(orders.c.number == number))).one()
    if (written.customer, written.copies) != (user, copies):
        raise ValueError(f"The number {number} is another order's.")


async def main(gateway_url: str, engine: AsyncEngine) -> None:
    """Two orders, of which the money is enough for one."""
    async with open_gateway(gateway_url) as gateway:
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        ada = await gateway.accounts.open_customer("ada", "EUR")
        credit = MakeDeposit(account_id=ada.id, amount=Money(5_000, "EUR"), owner_id=None)
        await gateway.execute(credit, idempotency_key="receipt-1", owner_id=ada.owner_id)
        print(await place_order(gateway, engine, "ada", "1001", copies=2))
        print(await place_order(gateway, engine, "ada", "1002", copies=1))
        async with engine.connect() as connection:
            print(list((await connection.execute(select(orders.c.number))).scalars()))
        print((await gateway.accounts.open_customer("ada", "EUR")).available)
    await engine.dispose()


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        file = Path(folder, "shop.db")
        asyncio.run(main(f"sqlite:///{file}", create_async_engine(f"sqlite+aiosqlite:///{file}")))
