"""Overload: what a flood of batches, of requests, of logins and of silent connections does to everybody else.

`python -m bench overload`, or `make bench-overload ARGS="--arm flood"`. Clients and server share this machine: ratios
count.
"""

import asyncio
import itertools
import json
import resource
import secrets
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import httpx
import psutil

from bench.closed_loop import SCRIPT, require_wrk, write_lines
from support.flood import LIVE, Connection, flood, percentile, raw_batch, raw_post, seconds_of
from support.load import PASSWORD, Shop, open_shop
from support.postgres import PostgresServer, resolve, temporary_database
from support.servers import Installation, Server

Figures = dict[str, str]
"""What was measured, in words and numbers."""

BATCHES: Final = 200
UNLOADED_SECONDS: Final = 5.0
PEAK_CONNECTIONS: Final = 128
GOODPUT_SECONDS: Final = 10
SOCKETS: Final = 20_000
HELD_SECONDS: Final = 5
SOCKETS_PER_ADDRESS: Final = 10_000
RATE: Final = 200
LOGIN_SECONDS: Final = 30
BALANCE: Final = 1_000_000_000
NO_LIMITS: Final = {"GATEWAY_RATE_LIMIT_REQUESTS": "0", "GATEWAY_LOG_LEVEL": "warning"}


@asynccontextmanager
async def served(postgres: PostgresServer, **settings: str) -> AsyncGenerator[Server]:
    """A server on a database of its own, whose ledger is verified in the end."""
    async with temporary_database(postgres) as database:
        with tempfile.TemporaryDirectory(prefix="bench-overload-") as folder:
            gateway = Installation(Path(folder), postgres.url(database))
            async with gateway.serving(**NO_LIMITS, **settings) as server:
                yield server
            await gateway.verify()


def milliseconds(seconds: list[float]) -> str:
    """The median, the 99th percentile and the longest."""
    p50, p99 = percentile(seconds, 0.5), percentile(seconds, 0.99)
    return f"p50 {p50 * 1e3:.1f}, p99 {p99 * 1e3:.1f}, longest {max(seconds) * 1e3:.1f} ms of {len(seconds)}"


def memory_mib(server: Server) -> float:
    """The resident memory of the server's process."""
    return float(psutil.Process(server.pid).memory_info().rss) / 2**20


class Beside:
    """Single payments and questions for liveness, one after the other, while something else happens."""

    def __init__(self, server: Server, shop: Shop) -> None:
        self._server = server
        self._shop = shop

    async def measure(self, work: Callable[[], Awaitable[object]]) -> tuple[list[float], list[float]]:
        """The times of the payments and of liveness while the work runs."""
        stop, run = asyncio.Event(), secrets.token_hex(4)
        port = self._server.port
        paying = asyncio.create_task(seconds_of(port, lambda n: self._shop.raw_payment(f"{run}-{n}"), 201, stop))
        living = asyncio.create_task(seconds_of(port, lambda _: LIVE, 200, stop))
        try:
            await work()
        finally:
            stop.set()
        return await paying, await living

    async def unloaded(self) -> list[float]:
        """The times of payments when nothing else happens."""
        payments, _ = await self.measure(lambda: asyncio.sleep(UNLOADED_SECONDS))
        return payments


async def batches(postgres: PostgresServer) -> Figures:
    """One caller sends 200 batches of 1,000 at once, beside another caller's single payments."""
    async with served(postgres) as server, server.client() as http:
        flooder, other = await open_shop(http, BALANCE), await open_shop(http, BALANCE)
        beside = Beside(server, other)
        await flood(server.port, [raw_batch(flooder, f"warm-{n}") for n in range(3)])
        unloaded = await beside.unloaded()
        requests = [raw_batch(flooder, f"flood-{n}") for n in range(BATCHES)]
        statuses = Counter[int]()

        async def send() -> None:
            statuses.update(await flood(server.port, requests))

        began = time.perf_counter()
        payments, liveness = await beside.measure(send)
        return {
            "batches": f"{dict(statuses)} in {time.perf_counter() - began:.1f} s",
            "single payments alone": milliseconds(unloaded),
            "single payments beside them": milliseconds(payments),
            "p99 by median alone": f"{percentile(payments, 0.99) / percentile(unloaded, 0.5):.1f}",
            "liveness": milliseconds(liveness),
            "memory": f"{memory_mib(server):.0f} MiB",
        }


async def goodput(postgres: PostgresServer) -> Figures:
    """Twice and ten times the connections that the server takes; refused ones ask again at once."""
    require_wrk()
    bound = {"GATEWAY_REQUESTS_MAX": str(PEAK_CONNECTIONS), "GATEWAY_CONNECTIONS_MAX": str(PEAK_CONNECTIONS * 12)}
    async with served(postgres, **bound) as server, server.client() as http:
        shop = await open_shop(http, BALANCE)
        beside = Beside(server, shop)
        unloaded = percentile(await beside.unloaded(), 0.5)
        await hammered(server, shop, PEAK_CONNECTIONS)
        memory = memory_mib(server)
        figures: Figures = {}
        peak = 0.0
        for times in (1, 2, 10):
            statuses = Counter[int]()
            stop = asyncio.Event()
            sampling = asyncio.create_task(samples(server, shop, statuses, stop))
            paid, refused = await hammered(server, shop, PEAK_CONNECTIONS * times)
            stop.set()
            await sampling
            peak = peak or paid
            figures[f"{times} times"] = (
                f"{paid:.0f} paid/s ({paid / peak:.0%} of the peak), {refused:.0f} refused/s; samples "
                f"{dict(statuses)}; {memory_mib(server):.0f} MiB, before {memory:.0f}"
            )
        began = time.perf_counter()
        while (await timed(server, shop)) > 2 * unloaded:  # noqa: ASYNC110 - each round asks the server.
            await asyncio.sleep(0.05)
        figures["normal again after"] = f"{time.perf_counter() - began:.1f} s"
        return figures


async def hammered(server: Server, shop: Shop, connections: int) -> tuple[float, float]:
    """Payments and refusals a second, with so many connections of wrk."""
    with tempfile.TemporaryDirectory() as folder:
        token = shop.customer.headers["Authorization"].removeprefix("Bearer ")
        files = [write_lines(Path(folder, name), [line]) for name, line in (("t", token), ("p", shop.merchant.id))]
        process = await asyncio.create_subprocess_exec(
            *("wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{GOODPUT_SECONDS}s"),
            *("--timeout", "30s", "--script", str(SCRIPT), server.url, "--"),
            *(*map(str, files), secrets.token_hex(3), "1"),
            stdout=subprocess.PIPE,
        )
        said, _ = await process.communicate()
    found = json.loads(said.splitlines()[-1])
    seconds, refused = found["microseconds"] / 1e6, found["bad_statuses"]
    return (found["requests"] - refused) / seconds, refused / seconds


async def samples(server: Server, shop: Shop, statuses: Counter[int], stop: asyncio.Event) -> None:
    """Pay now and then: nothing but 201, 429 and 503 with `Retry-After` is answered."""
    run = secrets.token_hex(4)
    for number in itertools.count():
        if stop.is_set():
            return
        connection = await Connection.to(server.port)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            status = await connection.ask(shop.raw_payment(f"{run}-{number}"))
            statuses[status] += 1
            if status not in {201, 429, 503} or (status != 201 and b"retry-after: " not in connection.headers):  # noqa: PLR2004 - a status.
                raise RuntimeError(f"{status}: {connection.headers!r}")
        connection.close()
        await asyncio.sleep(0.05)


async def timed(server: Server, shop: Shop) -> float:
    """How long one payment takes."""
    connection = await Connection.to(server.port)
    began = time.perf_counter()
    await connection.ask(shop.raw_payment(secrets.token_hex(8)))
    connection.close()
    return time.perf_counter() - began


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


async def silent(postgres: PostgresServer) -> Figures:
    """20,000 connections that say nothing are open at once. Payments go on, each also on a new connection."""
    sockets = SOCKETS if raised_descriptors(SOCKETS + 1_000) else 1_000
    async with served(postgres, GATEWAY_CONNECTIONS_MAX=str(sockets + 200)) as server, server.client() as http:
        shop = await open_shop(http, BALANCE)
        beside = Beside(server, shop)
        unloaded = await beside.unloaded()
        before, most = memory_mib(server), 0
        opening, opened_all = list[float](), list[float]()
        held: list[socket.socket] = []
        opened = asyncio.Event()

        async def watch() -> None:
            nonlocal most
            while not opened.is_set():
                most = max(most, psutil.Process(server.pid).num_fds())
                (opened_all if held else opening).append(await timed(server, shop))
                await asyncio.sleep(0.2)

        async def open_all() -> None:
            watching = asyncio.create_task(watch())
            held.extend(await asyncio.to_thread(opened_sockets, server.port, sockets))
            await asyncio.sleep(HELD_SECONDS)
            opened.set()
            await watching

        began = time.perf_counter()
        payments, liveness = await beside.measure(open_all)
        took, after = time.perf_counter() - began, memory_mib(server)
        for each in held:
            each.close()
        return {
            "connections": f"{sockets} in {took - HELD_SECONDS:.1f} s, at most {most} descriptors open in the server",
            "memory": f"{before:.0f} MiB before, {after:.0f} MiB with them",
            "payments alone": milliseconds(unloaded),
            "payments meanwhile": milliseconds(payments),
            "payments on new connections, while they are opened": milliseconds(opening),
            "payments on new connections, while they are open": milliseconds(opened_all),
            "liveness": milliseconds(liveness),
        }


def raised_descriptors(count: int) -> bool:
    """Whether this process, and the server that it starts, may have so many descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, count), max(hard, count)))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= count


def opened_sockets(port: int, count: int) -> list[socket.socket]:
    """So many connections, from several loopback addresses: one has too few ports.

    Each asks once and then says nothing, not even that it reads the response: they stay open for the keep-alive time,
    and not only for the 10 s in which headers have to come.
    """
    sockets: list[socket.socket] = []
    for number in range(count):
        each = socket.socket()
        each.bind((f"127.0.3.{1 + number // SOCKETS_PER_ADDRESS}", 0))
        each.connect(("127.0.0.1", port))
        each.sendall(LIVE)
        sockets.append(each)
    return sockets


ARMS: Final[dict[str, Callable[[PostgresServer], Awaitable[Figures]]]] = {
    "batches": batches,
    "goodput": goodput,
    "logins": logins,
    "silent": silent,
}


def overload(names: tuple[str, ...]) -> str:
    """Run these arms, or all, and return a page."""
    sections = ["# Overload"]
    with resolve().open() as postgres:
        for name in names or ARMS:
            figures = asyncio.run(ARMS[name](postgres))  # type: ignore[arg-type]  # an async function's coroutine.
            rows = "\n".join(f"| {what} | {figure} |" for what, figure in figures.items())
            sections.append(f"## {ARMS[name].__doc__}\n\n| | |\n|---|---|\n{rows}")
    return "\n\n".join(sections) + "\n"
