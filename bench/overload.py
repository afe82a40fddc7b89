"""Overload: what a flood of batches, of requests, of logins and of silent connections does to everybody else.

`python -m bench overload`, or `make bench-overload ARGS="--arm batches"`. Clients and server share this machine: ratios
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
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Final

import psutil  # type: ignore[import-untyped]  # psutil ships no types.

from bench.closed_loop import SCRIPT, require_wrk, write_lines
from bench.fairness import PAYING_CONNECTIONS, all_paid
from bench.overload_logins import logins
from bench.overloaded import BALANCE, Beside, Figures, memory_mib, milliseconds, served
from support.flood import LIVE, Connection, flood, percentile, raw_batch
from support.load import Shop, open_shop
from support.postgres import PostgresServer, resolve
from support.servers import Server

BATCHES: Final = 200
PEAK_CONNECTIONS: Final = 128
GOODPUT_SECONDS: Final = 5
GOODPUT_ROUNDS: Final = 5
SOCKETS: Final = 20_000
HELD_SECONDS: Final = 5
SOCKETS_PER_ADDRESS: Final = 10_000


async def batches(postgres: PostgresServer) -> Figures:
    """One caller sends 200 batches of 1,000 at once, beside another caller's single payments."""
    async with served(postgres) as server, server.client() as http:
        flooder, other = await open_shop(http, BALANCE), await open_shop(http, BALANCE)
        beside = Beside(server, other)
        await flood(server.port, [raw_batch(flooder, f"warm-{n}") for n in range(3)], Counter())
        unloaded = await beside.unloaded()
        requests = [raw_batch(flooder, f"flood-{n}") for n in range(BATCHES)]
        statuses = Counter[int]()

        async def send() -> None:
            await flood(server.port, requests, statuses)

        async def send_until_paid() -> None:
            await all_paid(server, requests)

        figures: Figures = {"single payments alone": milliseconds(unloaded)}
        for name, work in (("at once", send), (f"all paid, by {PAYING_CONNECTIONS} connections", send_until_paid)):
            began = time.perf_counter()
            payments, liveness = await beside.measure(work)
            figures |= {
                f"{name}: seconds": f"{time.perf_counter() - began:.1f}",
                f"{name}: single payments": milliseconds(payments),
                f"{name}: p99 by median alone": f"{percentile(payments, 0.99) / percentile(unloaded, 0.5):.1f}",
                f"{name}: liveness": milliseconds(liveness),
            }
        return figures | {"statuses at once": f"{dict(statuses)}", "memory": f"{memory_mib(server):.0f} MiB"}


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
        paid_at, refused_at = defaultdict[int, list[float]](list), defaultdict[int, list[float]](list)
        statuses, memory_at = defaultdict[int, Counter[int]](Counter), dict[int, float]()
        for _ in range(GOODPUT_ROUNDS):  # In turns: the machine is not equally fast all the time.
            for times in (1, 2, 10):
                stop = asyncio.Event()
                sampling = asyncio.create_task(samples(server, shop, statuses[times], stop))
                paid, refused = await hammered(server, shop, PEAK_CONNECTIONS * times)
                stop.set()
                await sampling
                paid_at[times].append(paid)
                refused_at[times].append(refused)
                memory_at[times] = memory_mib(server)
        peak = median(paid_at[1])
        figures: Figures = {
            f"{times} times": (
                f"{median(paid):.0f} paid/s ({median(paid) / peak:.0%} of the peak; "
                f"{', '.join(f'{each:.0f}' for each in paid)}), "
                f"{median(refused_at[times]):.0f} refused/s; samples {dict(statuses[times])}; "
                f"{memory_at[times]:.0f} MiB, before {memory:.0f}"
            )
            for times, paid in paid_at.items()
        }
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


async def silent(postgres: PostgresServer) -> Figures:
    """20,000 connections that say nothing are open at once. Payments go on, each also on a new connection."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sockets = min(SOCKETS, hard - 1_000)
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


ARMS: Final[dict[str, Callable[[PostgresServer], Coroutine[None, None, Figures]]]] = {
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
            figures = asyncio.run(ARMS[name](postgres))
            rows = "\n".join(f"| {what} | {figure} |" for what, figure in figures.items())
            sections.append(f"## {ARMS[name].__doc__}\n\n| | |\n|---|---|\n{rows}")
    return "\n\n".join(sections) + "\n"
