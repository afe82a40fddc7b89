"""Figures for those who embed the gateway: no HTTP, one process."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.connection import connected
from bench.ledger import must_balance
from bench.population import People, batch_on, make_people, paid, payments, populate, submission
from bench.usage import fsyncs_statement
from gateway.adapters.memory import memory_storage
from gateway.adapters.sql import migrate, open_sql_storage
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import Executor, OneByOne
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.ports.storage import Storage

BATCH: Final = 256
ASKERS: Final = 64
BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
REPEATS: Final = 3
SQLITE_SHARE: Final = 4
"""Of the payments of a figure, this part is enough for SQLite, which is slower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLaw:
    """T(N) = a + b·N: what a batch of N payments takes on Postgres, in microseconds.

    `points` are N and the median T(N); `fixed` is a, `each` is b.
    """

    points: Sequence[tuple[int, float]]
    fixed: float
    each: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What payments leave behind in Postgres, per payment, and fsyncs per transaction (batches of 64)."""

    wal_bytes: float
    rows_inserted: float
    rows_updated: float
    rows_updated_hot: float
    table_bytes: float
    index_bytes: float
    fsyncs_per_transaction: float


def grouping(storage: Storage) -> GroupCommit:
    """An executor that groups, as the gateway opens it."""
    return GroupCommit(batch_on(storage).run, GroupLimits(), scheduling=storage.scheduling)


async def on_memory(people: People, count: int) -> float:
    """Payments a second of a core's time: the use-case on memory adapters, in batches of 256."""
    storage = memory_storage()
    await populate(storage, people)
    return await _in_batches(storage, people, count, BATCH)


async def on_memory_through_the_door(people: People, count: int) -> float:
    """The same, each payment through the executor on its own, by 64 tasks at once, in time of the clock."""
    storage = memory_storage()
    await populate(storage, people)
    async with closing(grouping(storage)) as executor:
        return await _through_the_door(executor, people, count, tasks=ASKERS)


async def on_sqlite(folder: Path, count: int, *, grouped: bool) -> float:
    """Payments a second on SQLite: grouped, by 64 tasks at once; or one by one, by one task, as writers take turns."""
    people = make_people(1000)
    url = f"sqlite:///{folder}/{'grouped' if grouped else 'single'}.sqlite3"
    await migrate(url)
    async with open_sql_storage(url) as storage:
        await populate(storage, people)
        executor: Executor = grouping(storage) if grouped else OneByOne(batch_on(storage).run)
        async with closing(executor):
            per_second = await _through_the_door(executor, people, count, tasks=ASKERS if grouped else 1)
    await must_balance(url)
    return per_second


async def batch_law(url: str, people: People, seconds: float) -> BatchLaw:
    """Time batches of many sizes on Postgres, in turns, for about so many seconds."""
    times: dict[int, list[float]] = {size: [] for size in BATCH_SIZES}
    async with open_sql_storage(url) as storage:
        batch = batch_on(storage)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or not times[1]:
            # Each size several times in a row: after a large batch, a small one pays for what it left behind.
            for size in (size for size in BATCH_SIZES for _ in range(REPEATS)):
                submissions = [submission(command) for command in payments(people, size)]
                start = time.perf_counter()
                answers = await batch.run(submissions)
                times[size].append(time.perf_counter() - start)
                paid(answers)
    await must_balance(url)
    points = [(size, float(np.median(taken)) * 1e6) for size, taken in times.items()]
    sizes, medians = np.array(points).T
    # Relative errors count, so that small batches shape the line as much as large ones.
    each, fixed = np.polyfit(sizes, medians, 1, w=1 / medians)
    return BatchLaw(points=points, fixed=float(fixed), each=float(each))


async def footprint(url: str, people: People, count: int) -> Footprint:
    """What so many payments write, in batches of 64."""
    count -= count % ASKERS
    before = await _counters(url)
    async with open_sql_storage(url) as storage:
        await _in_batches(storage, people, count, ASKERS)
    # The writing connection is closed: only now its counters are complete.
    await asyncio.sleep(0.5)
    after = await _counters(url)
    change = {name: after[name] - before[name] for name in after}
    transactions = count / ASKERS
    return Footprint(
        wal_bytes=change["wal"] / count,
        rows_inserted=change["inserted"] / count,
        rows_updated=change["updated"] / count,
        rows_updated_hot=change["updated_hot"] / count,
        table_bytes=change["tables"] / count,
        index_bytes=change["indexes"] / count,
        fsyncs_per_transaction=change["fsyncs"] / transactions,
    )


@contextlib.asynccontextmanager
async def closing(executor: Executor) -> AsyncIterator[Executor]:
    """An executor, closed at the end."""
    try:
        yield executor
    finally:
        await executor.close()


async def _in_batches(storage: Storage, people: People, count: int, size: int) -> float:
    """Payments a second of processor time, one batch after the other. Only the batches are timed."""
    batch = batch_on(storage)
    seconds = 0.0
    for _ in range(count // size):
        submissions = [submission(command) for command in payments(people, size)]
        start = time.process_time()
        answers = await batch.run(submissions)
        seconds += time.process_time() - start
        paid(answers)
    return count // size * size / seconds


async def _through_the_door(executor: Executor, people: People, count: int, *, tasks: int) -> float:
    """Payments a second, by tasks that each wait for their answer."""
    commands = CommandExecutor(executor, time_ordered_id)
    orders = list(payments(people, count))

    async def ask(task: int) -> None:
        for order in orders[task::tasks]:
            await commands.execute(order)

    start = time.perf_counter()
    await asyncio.gather(*(ask(task) for task in range(tasks)))
    return count / (time.perf_counter() - start)


_COUNTERS: Final = """
SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS wal, sum(n_tup_ins) AS inserted, sum(n_tup_upd) AS updated,
    sum(n_tup_hot_upd) AS updated_hot, sum(pg_table_size(relid)) AS tables, sum(pg_indexes_size(relid)) AS indexes
FROM pg_stat_user_tables
"""


async def _counters(url: str) -> dict[str, float]:
    async with connected(url) as connection:
        row = await connection.fetchrow(_COUNTERS)
        fsyncs = await connection.fetchval(await fsyncs_statement(connection))
    return {**{name: float(value) for name, value in row.items()}, "fsyncs": float(fsyncs)}
