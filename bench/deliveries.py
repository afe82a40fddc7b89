"""Webhooks: how many a worker delivers, and how soon. One payment causes one webhook.

The receiver is a process of its own. The worker signs, sends and records each delivery; the receiver does not verify.
"""

import asyncio
import contextlib
import http.client
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import psutil  # type: ignore[import-untyped]  # psutil ships no types.

from bench import open_loop
from bench.connection import connected
from bench.ledger import VoidRun, must_balance
from bench.plan import Plan
from bench.population import People, batch_on, paid, payment, submission
from bench.receiver import Figures
from bench.servers import HOST, Server, gateway, module, serving, worker
from bench.usage import cpu_seconds
from gateway.adapters.sql import open_sql_storage
from gateway.bootstrap.wiring import open_gateway
from gateway.domain.user import SYSTEM, UserId
from gateway.settings.reader import read_settings

MERCHANTS: Final = 20
"""Each has an endpoint."""
EVENTS: Final = ("payment.captured",)
RATE: Final = 300
"""Payments a second, while the lag is measured."""
AT_ONCE: Final = 1000
POLL_SECONDS: Final = 0.1
ARRIVE_SECONDS_MAX: Final = 120
MEMORY_SECONDS: Final = 10
"""How long the memory of a worker with a long queue is watched."""

IN_BULK: Final = """
    WITH endpoint AS (
        SELECT id, row_number() OVER () - 1 AS number FROM webhook_endpoints
    ), event AS (
        SELECT id, type, object_id, row_number() OVER () - 1 AS number
        FROM (SELECT * FROM events WHERE type = 'payment.captured' LIMIT 10000) AS captured
    )
    INSERT INTO webhook_deliveries (
        id, endpoint_id, event_id, position, event_type, object_id, created_at, due_at, attempts
    )
    SELECT 'dlv_bench' || n, endpoint.id, event.id, n, event.type, event.object_id || '_' || n, now(), now(), '[]'
    FROM generate_series(1, $1::integer) AS n
        JOIN endpoint ON endpoint.number = n % (SELECT count(*) FROM endpoint)
        JOIN event ON event.number = n % (SELECT count(*) FROM event)
"""
QUEUES_IN_BULK: Final = """
    INSERT INTO webhook_queues (endpoint_id, due_at, is_slow)
    SELECT id, now(), 0 FROM webhook_endpoints
    ON CONFLICT (endpoint_id) DO UPDATE SET due_at = now(), paused_until = NULL, leased_by = NULL, leased_until = NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """The time from a payment to the arrival of its webhook, at `RATE` payments a second."""

    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """What one worker does.

    Attributes:
        per_second: Deliveries a second of a queue that was there before.
        cpu_us: Processor time of the worker for each of them.
        lag: Beside nothing else.
        lag_beside_bad: Beside three endpoints that get every event: one is dead, one hangs, one sends 100 MB.
        waiting: How many deliveries waited when the memory was read.
        memory_mb: Resident memory of the worker with few deliveries waiting.
        memory_waiting_mb: The same with `waiting` deliveries.
    """

    per_second: float
    cpu_us: float
    lag: Lag
    lag_beside_bad: Lag
    waiting: int
    memory_mb: float
    memory_waiting_mb: float


async def measure(plan: Plan, url: str, people: People, pem: str, tokens: Sequence[str]) -> Deliveries:
    """Measure on a populated database.

    Raises:
        VoidRun: An event did not arrive, or the ledger is not sound.
    """
    merchants = people.merchants[:MERCHANTS]
    settings = {
        "GATEWAY_DATABASE_URL": url,
        "GATEWAY_TOKEN_PRIVATE_KEY": pem,
        "GATEWAY_LOG_LEVEL": "error",
        "GATEWAY_WORKER_IN_SERVE": "false",
    }
    with serving(module("bench.receiver"), {}) as receiver:
        await _create_endpoints(settings, receiver, merchants)
        await _pay(url, people, merchants, plan.deliveries)
        with serving(worker(), settings, port_option="--worker-health-port") as working:
            drained = await _arrived(receiver, plan.deliveries)
            cpu = cpu_seconds(working.pid)
            memory = _memory_mb(working)
            lags: list[Lag] = []
            with serving(gateway(), settings) as server:
                lags.append(await _lag(plan, server, receiver, tokens, merchants))
                await _create_bad_endpoints(settings, receiver)
                lags.append(await _lag(plan, server, receiver, tokens, merchants))
        await _wait_in_bulk(url, plan.waiting)
        with serving(worker(), settings, port_option="--worker-health-port") as working:
            memory_waiting = await _memory_max_mb(working)
    await must_balance(url)
    return Deliveries(
        per_second=plan.deliveries / drained.seconds,
        cpu_us=cpu / plan.deliveries * 1e6,
        lag=lags[0],
        lag_beside_bad=lags[1],
        waiting=plan.waiting,
        memory_mb=memory,
        memory_waiting_mb=memory_waiting,
    )


async def _create_endpoints(settings: dict[str, str], receiver: Server, merchants: Sequence[UserId]) -> None:
    async with open_gateway(read_settings(settings)) as opened:
        for merchant in merchants:
            await opened.webhooks.create(owner_id=merchant, url=f"http://{HOST}:{receiver.port}/healthy", events=EVENTS)


async def _create_bad_endpoints(settings: dict[str, str], receiver: Server) -> None:
    with _closed_port() as port:
        urls = [
            f"http://{HOST}:{port}/dead",
            *(f"http://{HOST}:{receiver.port}/{path}" for path in ("hanging", "huge")),
        ]
        async with open_gateway(read_settings(settings)) as opened:
            for url in urls:
                await opened.webhooks.create(owner_id=SYSTEM, all_merchants=True, url=url, events=EVENTS)


async def _pay(url: str, people: People, merchants: Sequence[UserId], count: int) -> None:
    async with open_sql_storage(url) as storage:
        batch = batch_on(storage)
        for start in range(0, count, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, count))
            pairs = [(people.customers[n % len(people.customers)], merchants[n % MERCHANTS]) for n in numbers]
            paid(await batch.run([submission(payment(customer, merchant)) for customer, merchant in pairs]))


async def _lag(plan: Plan, server: Server, receiver: Server, tokens: Sequence[str], merchants: Sequence[UserId]) -> Lag:
    _figures(receiver, "DELETE")
    run = await open_loop.drive(server, tokens=tokens, payees=merchants, rate=RATE, seconds=plan.open_loop_seconds)
    found = await _arrived(receiver, run.requests)
    return Lag(p50_ms=found.p50_ms, p99_ms=found.p99_ms)


async def _arrived(receiver: Server, events: int) -> Figures:
    """Wait until so many different events have arrived.

    Raises:
        VoidRun: They do not.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ARRIVE_SECONDS_MAX):
            while _figures(receiver, "GET").events < events:  # noqa: ASYNC110 - another process is asked.
                await asyncio.sleep(POLL_SECONDS)
    found = _figures(receiver, "GET")
    if found.events != events:
        raise VoidRun(f"{found.events} of {events} webhooks have arrived.")
    return found


def _figures(receiver: Server, method: str) -> Figures:
    connection = http.client.HTTPConnection(HOST, receiver.port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, "/figures")
        return msgspec.json.decode(connection.getresponse().read(), type=Figures)


async def _wait_in_bulk(url: str, count: int) -> None:
    """Let deliveries wait for all endpoints, as many for each. Each is of an object of its own."""
    async with connected(url) as connection:
        await connection.execute(IN_BULK, count)
        await connection.execute(QUEUES_IN_BULK)


async def _memory_max_mb(server: Server) -> float:
    """The most memory at any time of `MEMORY_SECONDS`."""
    found = 0.0
    for _ in range(int(MEMORY_SECONDS / POLL_SECONDS)):
        found = max(found, _memory_mb(server))
        await asyncio.sleep(POLL_SECONDS)
    return found


def _memory_mb(server: Server) -> float:
    return float(psutil.Process(server.pid).memory_info().rss) / 1e6


@contextlib.contextmanager
def _closed_port() -> Iterator[int]:
    """A port on which nobody listens."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        port: int = bound.getsockname()[1]
        yield port
