"""An arena: two servers on one Postgres with an impatient worker in each, people with money, and races between them."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count, cycle
from typing import Any

import httpx
from sqlalchemy import text

from support.load import PASSWORD, Person, Shop, log_in, open_shop, sign_up
from support.servers import Installation, Server

Json = dict[str, Any]

ROUNDS = int(os.environ.get("GATEWAY_TEST_RACE_ROUNDS", "60"))
"""Of each race. More of them find rarer interleavings: 200 take some minutes."""
ROUNDS_AT_ONCE = 8
SHOPS = 4
"""Each has its accounts: with one of them, all rounds would wait for one another and few would meet."""
BALANCE = 100_000_000
FEES = {"currency": "USD", "basis_points": 333, "fixed_amount": 3}
OPERATOR = "operator@example.com"
CLIENTS_PER_SERVER = 8
"""httpx looks at every connection of a client for every request: many clients with few are much quicker."""

ENVIRON = (
    # Many small transactions side by side: what shares one transaction takes turns anyway, and would be no race.
    ("GATEWAY_WRITE_CONNECTIONS", "4"),
    ("GATEWAY_BATCH_SIZE_MAX", "4"),
    ("GATEWAY_EXPIRY_INTERVAL_SECONDS", "0.005"),
    ("GATEWAY_LOG_LEVEL", "warning"),
)

_keys = count(1)


@dataclass(frozen=True, slots=True)
class Ask:
    """Something to be asked for in a race, under a key of its own."""

    who: dict[str, str]
    path: str
    body: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """Where races are held.

    Attributes:
        gateway: What both servers are processes of.
        operator: The headers of somebody who may do everything.
        shops: Customers with `BALANCE`, and the merchants they pay, who are charged fees.
    """

    gateway: Installation
    operator: dict[str, str]
    shops: Sequence[Shop]
    _clients: Sequence[Sequence[httpx.AsyncClient]]

    async def send(self, ask: Ask, *, server: int = 0) -> httpx.Response:
        """Ask one of the servers."""
        number = next(_keys)
        client = self._clients[server][number % CLIENTS_PER_SERVER]
        return await client.post(ask.path, headers=ask.who | {"Idempotency-Key": f"race-{number}"}, json=ask.body)

    async def do(self, who: Person, path: str, **body: object) -> Json:
        """Ask for something that must succeed."""
        answer = await self.send(Ask(who.headers, path, body))
        assert answer.is_success, answer.text
        made: Json = answer.json()
        return made

    async def race(self, *asks: Ask) -> list[httpx.Response]:
        """Ask for all at once, at both servers in turn."""
        return await asyncio.gather(*(self.send(ask, server=number % 2) for number, ask in enumerate(asks)))

    async def rounds(self, play: Callable[[Shop], Awaitable[None]]) -> None:
        """Play `ROUNDS` times, `ROUNDS_AT_ONCE` side by side, in every shop in turn."""
        shops = cycle(self.shops)
        waiting = iter(range(ROUNDS))

        async def one_after_the_other() -> None:
            for _ in waiting:
                await play(next(shops))

        await asyncio.gather(*(one_after_the_other() for _ in range(ROUNDS_AT_ONCE)))

    async def customer_without_money(self) -> Person:
        """A customer beside the shops."""
        return await sign_up(self._clients[0][0], "customer")

    async def pay(self, shop: Shop, amount: int, **more: object) -> str:
        """The path of a new payment of the shop's."""
        payment = await self.do(shop.customer, "/payments", **shop.body(amount), **more)
        return f"/payments/{payment['id']}"

    async def seen(self, who: dict[str, str], path: str, **parameters: str) -> Json:
        """What somebody sees there."""
        answer = await self._clients[0][0].get(path, headers=who, params=parameters)
        assert answer.status_code == httpx.codes.OK, answer.text
        shown: Json = answer.json()
        return shown

    async def put(self, path: str, body: Json) -> None:
        """Let the operator set something."""
        answer = await self._clients[0][0].put(path, headers=self.operator, json=body)
        assert answer.status_code == httpx.codes.OK, answer.text

    async def move_deadlines(self, deadlines: dict[str, datetime]) -> None:
        """End the time of payments, by their paths, at other times: nobody can ask for less than a minute."""
        statement = text("UPDATE payments SET expires_at = :deadline WHERE '/payments/' || id = :path")
        async with self.gateway.connected() as database:
            rows = [{"path": path, "deadline": deadline} for path, deadline in deadlines.items()]
            await database.execute(statement, rows)
            await database.commit()


@asynccontextmanager
async def open_arena(gateway: Installation) -> AsyncGenerator[Arena]:
    """Start the servers, and let the people in. In the end the books must be in order."""
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(gateway.serving()) for _ in range(2)]
        clients = [
            [await stack.enter_async_context(_client(server)) for _ in range(CLIENTS_PER_SERVER)] for server in servers
        ]
        http = clients[0][0]
        made = await gateway.run("create-operator", "--email", OPERATOR, "--password-stdin", stdin=PASSWORD)
        assert made.exit_code == 0, made.complained
        operator = await log_in(http, OPERATOR)
        shops = [await open_shop(http, BALANCE) for _ in range(SHOPS)]
        arena = Arena(gateway=gateway, operator=operator, shops=shops, _clients=clients)
        for shop in shops:
            await arena.put(f"/merchants/{shop.merchant.id}/fees", FEES)
        yield arena
        assert (await arena.seen(operator, "/ledger/invariants"))["ok"] is True
    await gateway.verify()


def _client(server: Server) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.url, timeout=30.0)
