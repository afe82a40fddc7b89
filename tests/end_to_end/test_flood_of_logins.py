"""A flood of registrations and wrong logins, over HTTP on Postgres: users get in, and payments go on.

One connection for access, and little patience for it: a flood that waits for connections keeps everybody out.
"""

import asyncio
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from support.flood import Connection, raw_post
from support.load import PASSWORD, keys, open_shop
from support.servers import Installation, Server

STRANGERS = 600
OWNERS = 4
HOME = "127.0.1.1"
FEW_CONNECTIONS = {
    "GATEWAY_DATABASE_ACCESS_POOL_SIZE": "1",
    "GATEWAY_DATABASE_POOL_TIMEOUT_SECONDS": "1",
    "GATEWAY_RATE_LIMIT_LOGINS": "0",
    "GATEWAY_RATE_LIMIT_REGISTRATIONS": "0",
}


async def test_users_get_in_and_pay_during_a_flood_of_registrations_and_wrong_logins(
    postgres_url: str, tmp_path: Path
) -> None:
    gateway = Installation(tmp_path, postgres_url)
    owners = [f"owner-{number}@example.com" for number in range(OWNERS)]
    async with gateway.serving(**FEW_CONNECTIONS) as server:
        for owner in owners:
            assert await ask(server, registration(owner), HOME) == 201
            assert await ask(server, login(owner), HOME) == 200
    # Another process: it knows of nobody, and the storage knows where they have logged in from.
    async with gateway.serving(**FEW_CONNECTIONS) as server, server.client() as http:
        shop = await open_shop(http)
        strangers = [
            *(login(f"nobody-{number}@example.com", "wrong password") for number in range(STRANGERS)),
            *(login(owners[0], "wrong password") for _ in range(STRANGERS // 10)),
            *(registration(f"flood-{number}@example.com") for number in range(STRANGERS)),
        ]
        flood = [asyncio.create_task(ask(server, each, stranger(n))) for n, each in enumerate(strangers)]
        await asyncio.sleep(0)
        legitimate = [await ask(server, login(owner), HOME) for _ in range(3) for owner in owners]
        paid = [(await shop.pay(http, key)).status_code for key in keys(10)]
        statuses = Counter(await asyncio.gather(*flood))
    assert legitimate == [200] * 3 * OWNERS
    assert paid == [201] * 10
    assert set(statuses) <= {201, 401, 429, 503}
    assert statuses[503] > STRANGERS // 2
    assert "storage_unavailable" not in server.log()
    await gateway.verify()


async def ask(server: Server, request: bytes, source: str) -> int:
    """The status of a request on a connection of its own."""
    connection = await Connection.to(server.port, source=source)
    with ExitStack() as closing:
        closing.callback(connection.close)
        return await connection.ask(request)


def login(email: str, password: str = PASSWORD) -> bytes:
    return raw_post("/users/login", {"email": email, "password": password}, {})


def registration(email: str) -> bytes:
    return raw_post("/users/register", {"email": email, "password": PASSWORD, "role": "customer"}, {})


def stranger(number: int) -> str:
    """One of many loopback addresses."""
    return f"127.0.{2 + number // 250}.{1 + number % 250}"
