"""How long every filter of every list takes, in a ledger in which one merchant has nearly all payments."""

import http.client
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final

from bench import history, usage
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
    """Milliseconds for the first page of one list with these filters, of all callers and values.

    `cpu_p50_ms` and `cpu_p99_ms` are processor time of the server and of Postgres; 0 where the system does not tell it
    exactly. `slowest` are the values with the highest median.
    """

    payments: int
    name: str
    p50_ms: float
    p99_ms: float
    cpu_p50_ms: float
    cpu_p99_ms: float
    slowest: str


Taken = tuple[float, float]
"""Seconds of the clock, and of processors."""


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
    settings = {
        "GATEWAY_TOKEN_PRIVATE_KEY": pem,
        "GATEWAY_LOG_LEVEL": "warning",
        "GATEWAY_DATABASE_URL": url,
        "GATEWAY_WORKER_IN_SERVE": "false",
    }
    with serving(gateway(), settings) as server:
        return list(_grouped(payments, _taken(server, postgres, pem, asked)))


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


def _taken(
    server: Server, postgres: LocalPostgres, pem: str, asked: Sequence[Question]
) -> Mapping[Question, Sequence[Taken]]:
    mint = minter(pem)
    connection = http.client.HTTPConnection(HOST, server.port, timeout=30)
    taken: dict[Question, list[Taken]] = {question: [] for question in asked}
    for turn in range(REPEATS + 1):
        pids = usage.processes_below(server.pid, postgres.pid)
        for question in asked:
            headers = {"Authorization": f"Bearer {mint(question.caller, question.role)}"}
            used, start = usage.exact_cpu_seconds(pids), time.perf_counter()
            connection.request("GET", question.path, headers=headers)
            response = connection.getresponse()
            body = response.read()
            seconds = time.perf_counter() - start
            if response.status not in {http.client.OK, http.client.NOT_FOUND}:
                raise VoidRun(f"GET {question.path}: {response.status} {body[:200]!r}")
            if turn:
                taken[question].append((seconds, usage.exact_cpu_seconds(pids) - used))
    connection.close()
    return taken


def _grouped(payments: int, taken: Mapping[Question, Sequence[Taken]]) -> Iterable[Filtered]:
    """By list and filters; of the values, the slowest are named."""
    groups: dict[str, dict[Question, Sequence[Taken]]] = {}
    for question, times in taken.items():
        groups.setdefault(question.filters, {})[question] = times
    for name, group in groups.items():
        clock = sorted(seconds for times in group.values() for seconds, _ in times)
        processors = sorted(seconds for times in group.values() for _, seconds in times)
        yield Filtered(
            payments=payments,
            name=name,
            p50_ms=percentile(clock, 0.5),
            p99_ms=percentile(clock, 0.99),
            cpu_p50_ms=percentile(processors, 0.5),
            cpu_p99_ms=percentile(processors, 0.99),
            slowest=max(group, key=lambda question: median(seconds for seconds, _ in group[question])).title,
        )
