"""Overload of registrations and logins."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import httpx

from bench.overloaded import BALANCE, Beside, Figures, milliseconds, served
from support.flood import Connection, raw_post
from support.load import PASSWORD, open_shop
from support.postgres import PostgresServer
from support.servers import Server

RATE: Final = 200
LOGIN_SECONDS: Final = 30


async def logins(postgres: PostgresServer) -> Figures:
    """200 registrations and 200 wrong logins a second, and 20 guesses a second at one account, which others own."""
    async with served(postgres) as server, server.client() as http:
        shop = await open_shop(http, BALANCE)
        owners = [await registered(http, f"owner-{n}@example.com") for n in range(20)]
        for owner in owners:  # Their addresses are known from now on.
            await ask_once(server, login(owner), "127.0.1.1")
        beside = Beside(server, shop)
        unloaded = await beside.unloaded()
        began, asked, victim = time.perf_counter(), Counter[int](), owners[0]
        honest: list[tuple[int, float]] = []
        of_victim: list[tuple[int, float]] = []

        async def at_rate(rate: float, ask: Callable[[int], Awaitable[None]]) -> None:
            async with asyncio.TaskGroup() as tasks:
                for number in range(int(rate * LOGIN_SECONDS)):
                    await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
                    tasks.create_task(ask(number))  # type: ignore[arg-type]  # an async function's coroutine.

        async def register(number: int) -> None:
            body = {"email": f"flood-{number}@example.com", "password": PASSWORD, "role": "customer"}
            asked[(await ask_once(server, raw_post("/users/register", body, {}), address(number)))[0]] += 1

        async def guess(number: int) -> None:
            asked[(await ask_once(server, login(f"nobody-{number}@example.com", "wrong"), address(number)))[0]] += 1

        async def guess_at_victim(number: int) -> None:
            await ask_once(server, login(victim, "wrong"), address(number, third=9))

        async def log_in(number: int) -> None:
            honest.append(await ask_once(server, login(owners[1 + number % 19]), "127.0.1.1"))

        async def log_in_victim(_: int) -> None:
            of_victim.append(await ask_once(server, login(victim), "127.0.1.1"))

        async def attack() -> None:
            nonlocal began
            began = time.perf_counter()
            work = (
                (RATE, register),
                (RATE, guess),
                (20, guess_at_victim),
                (2, log_in),
                (0.2, log_in_victim),
            )
            await asyncio.gather(*(at_rate(rate, ask) for rate, ask in work))

        payments, _ = await beside.measure(attack)
        good = [seconds for status, seconds in honest if status == 200]  # noqa: PLR2004 - a status.
        in_time = sum(seconds <= 2 for seconds in good)  # noqa: PLR2004 - seconds.
        return {
            "registrations and wrong logins": f"{dict(asked)}",
            "legitimate logins": f"{in_time} of {len(honest)} within 2 s; {milliseconds(good)}",
            "the owner whose password is guessed": f"{[(status, round(seconds, 2)) for status, seconds in of_victim]}",
            "payments alone": milliseconds(unloaded),
            "payments beside it": milliseconds(payments),
        }


def address(number: int, third: int = 2) -> str:
    """One of many loopback addresses."""
    return f"127.0.{third + number // 250 % 200}.{1 + number % 250}"


async def ask_once(server: Server, request: bytes, source: str) -> tuple[int, float]:
    """The status of a request on a connection of its own, and how long it takes from the beginning."""
    began = time.perf_counter()
    status = 0
    with suppress(OSError, asyncio.IncompleteReadError):
        connection = await Connection.to(server.port, source=source)
        status = await connection.ask(request)
        connection.close()
    return status, time.perf_counter() - began


async def registered(http: httpx.AsyncClient, email: str) -> str:
    """A new user."""
    body = {"email": email, "password": PASSWORD, "role": "customer"}
    (await http.post("/users/register", json=body)).raise_for_status()
    return email


def login(email: str, password: str = PASSWORD) -> bytes:
    """A login as it goes over the wire."""
    return raw_post("/users/login", {"email": email, "password": password}, {})
