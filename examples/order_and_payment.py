"""An order and its payment in one transaction: both are committed, or neither is.

The shop's tables and the gateway's are in one database: SQLite here, Postgres alike. Without a payment there is no
order, and a shop that crashes in between has neither.
"""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Column, Integer, MetaData, Table, Text, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway import Gateway, MakeDeposit, Money, Pay, PaymentOrder, open_gateway
from gateway.refusals import InsufficientFunds

metadata = MetaData()
orders = Table("orders", metadata, Column("number", Text, primary_key=True), Column("copies", Integer, nullable=False))
PRICE_MINOR = 1_999


async def place_order(gateway: Gateway, engine: AsyncEngine, user: str, number: str, copies: int) -> str:
    """Write an order, and pay it. A refused payment leaves no order."""
    customer = await gateway.accounts.open_customer(user, "EUR")
    shop = await gateway.accounts.open_merchant("bookshop", "EUR")
    terms = PaymentOrder(
        customer_id=customer.owner_id, merchant_id=shop.owner_id, amount=Money(copies * PRICE_MINOR, "EUR")
    )
    try:
        async with engine.begin() as connection:
            await connection.execute(insert(orders).values(number=number, copies=copies))
            await gateway.execute_in(connection, Pay(order=terms), idempotency_key=f"order-{number}")
    except InsufficientFunds:
        return "not enough money, and no order"
    return "ordered and paid"


async def main(gateway_url: str, engine: AsyncEngine) -> None:
    """Two orders, of which the money is enough for one."""
    async with open_gateway(gateway_url) as gateway:
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        ada = await gateway.accounts.open_customer("ada", "EUR")
        await gateway.execute(MakeDeposit(account_id=ada.id, amount=Money(5_000, "EUR"), owner_id=None))
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
