"""How long every filter of every list takes, in a ledger in which one merchant has nearly all payments."""

import http.client
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from bench import history
from bench.connection import connected
from bench.databases import administering
from bench.ledger import VoidRun
from bench.open_loop import percentile
from bench.population import minter
from bench.servers import HOST, Server, gateway, serving
from gateway.adapters.jose.keys import generate_pem
from gateway.adapters.sql import migrate, open_sql_storage
from support.list_filters import DAYS, LEDGER, Question, filters, ids_of, questions
from support.postgres import LocalPostgres

REPEATS: Final = 5
"""How often everything is asked, the first time not counted."""
BLOCKS_PER_STEP: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Filtered:
    """Latencies in milliseconds of the first page of one list with these filters, of all callers and values."""

    payments: int
    name: str
    p50_ms: float
    p99_ms: float
    slowest: str


async def measure_filters(postgres: LocalPostgres, payments: int) -> Sequence[Filtered]:
    """Load a ledger with so many payments, serve it, and ask it everything.

    Raises:
        VoidRun: A page was refused.
    """
    begun = datetime.now(UTC) - timedelta(days=DAYS + 1)
    url = await _load(postgres, payments, begun)
    async with open_sql_storage(url) as storage:
        while await storage.housekeeping.index_events(blocks_max=BLOCKS_PER_STEP):
            pass
        ids = await ids_of(storage.reader)
    asked = list(questions(filters(begun, ids), ids))
    pem = generate_pem()
    settings = {"GATEWAY_TOKEN_PRIVATE_KEY": pem, "GATEWAY_LOG_LEVEL": "warning", "GATEWAY_DATABASE_URL": url}
    with serving(gateway(), settings) as server:
        return list(_grouped(payments, _latencies(server, pem, asked)))


async def _load(postgres: LocalPostgres, payments: int, begun: datetime) -> str:
    name = f"filters_{payments}"
    async with administering(postgres) as connection:
        await connection.execute(f"CREATE DATABASE {name}")
    url = postgres.url(name)
    await migrate(url)
    async with connected(url) as connection:
        await connection.execute(LEDGER.read_text())
        async with history.without_indexes(connection):
            await connection.execute("SELECT one.fill($1, $2)", payments, begun, timeout=None)
        await connection.execute("VACUUM ANALYZE", timeout=None)
    return url


def _latencies(server: Server, pem: str, asked: Sequence[Question]) -> Mapping[Question, Sequence[float]]:
    mint = minter(pem)
    connection = http.client.HTTPConnection(HOST, server.port, timeout=30)
    taken: dict[Question, list[float]] = {question: [] for question in asked}
    for turn in range(REPEATS + 1):
        for question in asked:
            headers = {"Authorization": f"Bearer {mint(question.caller, question.role)}"}
            start = time.perf_counter()
            connection.request("GET", question.path, headers=headers)
            response = connection.getresponse()
            body = response.read()
            seconds = time.perf_counter() - start
            if response.status not in {http.client.OK, http.client.NOT_FOUND}:
                raise VoidRun(f"GET {question.path}: {response.status} {body[:200]!r}")
            if turn:
                taken[question].append(seconds)
    connection.close()
    return taken


def _grouped(payments: int, taken: Mapping[Question, Sequence[float]]) -> Iterable[Filtered]:
    """By list and filters; of the values, the slowest are named."""
    groups: dict[str, dict[Question, Sequence[float]]] = {}
    for question, latencies in taken.items():
        groups.setdefault(question.filters, {})[question] = latencies
    for name, group in groups.items():
        every = sorted(latency for latencies in group.values() for latency in latencies)
        slowest = max(group, key=lambda question: min(group[question]))
        yield Filtered(
            payments=payments,
            name=name,
            p50_ms=percentile(every, 0.5),
            p99_ms=percentile(every, 0.99),
            slowest=slowest.title,
        )
