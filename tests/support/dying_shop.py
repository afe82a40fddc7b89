"""A shop that dies: it writes an order and its payment in one transaction, and kills itself at a step of it.

`python dying_shop.py URL` begins one process for each step, one after the other, until one of them lives to its end.
Each has an order of its own, and prints the number of its order and the last step that it came to. Processes are forked
from one that has loaded all modules, which takes longer than an order.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import create_async_engine

from gateway import Gateway, Money, Pay, PaymentOrder, UserId, open_gateway

ADA = UserId("ada")
SHOP = UserId("shop")
PRICE_MINOR = 10
BEFORE_COMMIT = "before COMMIT"
AFTER_COMMIT = "after COMMIT"
LIVED = "lived"


def order_id(number: int) -> str:
    return f"order-{number}"


def a_payment(number: int) -> Pay:
    terms = PaymentOrder(
        customer_id=ADA, merchant_id=SHOP, amount=Money(PRICE_MINOR, "EUR"), reference=order_id(number)
    )
    return Pay(order=terms)


class Steps:
    """Counts steps, and kills the process at one of them."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._passed = count()

    def pass_by(self, step: str) -> None:
        if next(self._passed) == self._number:
            tell(self._number, step)
            os.kill(os.getpid(), signal.SIGKILL)


def tell(number: int, step: str) -> None:
    os.write(sys.stdout.fileno(), f"{number} {step}\n".encode())


@asynccontextmanager
async def sqlite_transaction(url: str, steps: Steps) -> AsyncIterator[Any]:
    """A transaction of SQLAlchemy, whose statements and whose commit are steps."""
    engine = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:", 1))

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def before(*arguments: Any) -> None:
        steps.pass_by(f"before {arguments[2][:40]}")

    @event.listens_for(engine.sync_engine, "after_cursor_execute")
    def after(*arguments: Any) -> None:
        steps.pass_by(f"after {arguments[2][:40]}")

    commit = engine.sync_engine.dialect.do_commit

    def commit_in_steps(connection: Any) -> None:
        steps.pass_by(BEFORE_COMMIT)
        commit(connection)
        steps.pass_by(AFTER_COMMIT)

    engine.sync_engine.dialect.do_commit = commit_in_steps  # type: ignore[method-assign, assignment]  # a test's.
    async with engine.begin() as connection:
        yield connection


class SteppingConnection(asyncpg.Connection):  # type: ignore[misc]  # as above.
    """A connection of asyncpg, whose statements are steps."""

    steps: Steps

    async def execute(self, query: str, *arguments: Any, **named: Any) -> Any:
        return await self._in_steps(super().execute, query, *arguments, **named)

    async def fetch(self, query: str, *arguments: Any, **named: Any) -> Any:
        return await self._in_steps(super().fetch, query, *arguments, **named)

    async def fetchrow(self, query: str, *arguments: Any, **named: Any) -> Any:
        return await self._in_steps(super().fetchrow, query, *arguments, **named)

    async def _in_steps(self, method: Any, query: str, *arguments: Any, **named: Any) -> Any:
        name = query.strip(" ;")[:40].replace("\n", " ")
        self.steps.pass_by(f"before {name}")
        result = await method(query, *arguments, **named)
        self.steps.pass_by(f"after {name}")
        return result


@asynccontextmanager
async def postgres_transaction(url: str, steps: Steps) -> AsyncIterator[Any]:
    """A transaction of asyncpg."""
    connection: SteppingConnection = await asyncpg.connect(url, connection_class=SteppingConnection)
    connection.steps = steps
    async with connection.transaction():
        yield connection


async def place_order(gateway: Gateway, url: str, number: int, steps: Steps) -> None:
    """Both, or neither."""
    on_postgres = url.startswith("postgresql")
    transaction = postgres_transaction if on_postgres else sqlite_transaction
    steps.pass_by("before the transaction")
    async with transaction(url, steps) as connection:
        if on_postgres:
            await connection.execute("INSERT INTO orders VALUES ($1)", order_id(number))
        else:
            await connection.execute(text("INSERT INTO orders VALUES (:id)"), {"id": order_id(number)})
        steps.pass_by("before execute_in")
        await gateway.execute_in(connection, a_payment(number), idempotency_key=order_id(number))
        steps.pass_by("after execute_in")
    steps.pass_by("before telling")
    tell(number, LIVED)


async def die(url: str, number: int) -> None:
    async with open_gateway(url) as gateway:
        await place_order(gateway, url, number, Steps(number))


async def load_modules(url: str) -> None:
    async with open_gateway(url) as gateway:
        await gateway.accounts.open_customer(ADA, "EUR")


def run(url: str) -> None:
    """One process for each step."""
    asyncio.run(load_modules(url))
    for number in count():
        process = os.fork()
        if process == 0:
            asyncio.run(die(url, number))
            os._exit(0)
        _, status = os.waitpid(process, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    run(sys.argv[1])
