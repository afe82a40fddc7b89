"""What other schemas would cost: the statement that writes a batch, replayed on copies of one ledger in other schemas.

All variants write the same batches, in turns, one connection each, by the statement of the gateway.
"""

import os
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.

from bench import databases, history, usage
from bench.connection import connected
from bench.ledger import VoidRun
from bench.schema_statements import Ledger, adapted
from bench.schemas import LOADED, PAYMENT_INDEX, VARIANTS, Tell, Variant, log_position, make, sizes
from gateway.adapters.sql import open_sql_storage
from gateway.adapters.sql.array_codec import ArrayType, encoded_array, use_own_codec
from gateway.adapters.sql.engine import PLANNING_BY_INDEX
from gateway.adapters.sql.postgres_queries import Statement
from gateway.application.ports.reader import TransactionFilter
from gateway.domain.payment import PaymentId
from gateway.domain.user import UserId
from support.postgres import LocalPostgres

SETTINGS: Final = {"shared_buffers": "6GB", "max_wal_size": "24GB", "autovacuum": "off"}
"""The hot pages of all variants stay in memory: with less, each would read them again when its turn comes."""
ACCOUNTS: Final = 10_000
LARGE: Final = 88
WARM_UP_BATCHES: Final = 2_100
"""Before anything is measured. Pages of bulk-loaded indexes are full, and split at about the same time."""
ROUNDS: Final = 125
"""As many as the pages of the customers take to split twice: between such times, wide indexes look cheap."""
BATCHES_OF_A_ROUND: Final = {LARGE: 50, 1: 60}
EXPIRED: Final = 50_000
"""Answers that are deleted at once."""
LISTED: Final = 20
LIMIT: Final = 100
UUIDS: Final = ArrayType("uuid[]", 2951, 2950, bytes)

BY_WAY_OF_PAYMENTS: Final = """
SELECT own.* FROM (SELECT id FROM payments WHERE customer_id = $1 ORDER BY id DESC LIMIT $2) AS paid
CROSS JOIN LATERAL (
    SELECT * FROM transfers WHERE payment_id = paid.id AND position = 0 ORDER BY transaction_id DESC LIMIT $2
) AS own ORDER BY own.transaction_id DESC LIMIT $2"""
"""What could replace the index of a customer's transactions, if it were complete: deposits have no payment."""

DELETE_ANSWERS: Final = "DELETE FROM answers WHERE ctid = ANY (ARRAY (SELECT ctid FROM answers LIMIT $1))"
CLEAR_ANSWERS: Final = """UPDATE events
    SET answer_owner_id = NULL, answer_key = NULL, answer_fingerprint = NULL, answer_body = NULL
    WHERE ctid = ANY (ARRAY (SELECT ctid FROM events WHERE answer_key IS NOT NULL LIMIT $1))"""

CONTENTS: Final = """SELECT (SELECT count(*) FROM payments), (SELECT sum(amount) FROM transfers),
    (SELECT count(*) FROM events), (SELECT sum(debits_posted * version) FROM accounts),
    (SELECT sum(credits_posted * version) FROM accounts), (SELECT count(*) FROM {answers})"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one payment.

    Attributes:
        cpu_us: Processor time of all processes of Postgres.
        backend_us: That of the connection's process.
        wal_bytes: Bytes of log.
        full_pages: Whole pages in the log.
    """

    cpu_us: float
    backend_us: float
    wal_bytes: float
    full_pages: float


@dataclass(slots=True, kw_only=True)
class Arm:
    """A variant with its connection, and what was found: bytes of tables and indexes, and costs by size of batch."""

    variant: Variant
    url: str
    connection: asyncpg.Connection
    loaded: Mapping[str, tuple[int, int]]
    costs: dict[int, list[Cost]] = field(default_factory=dict)


async def schema_variants(past: int, tell: Tell) -> None:
    """Measure all variants on a ledger of so many payments, and tell what was found.

    Raises:
        VoidRun: The figures would mean nothing.
    """
    with databases.running() as server:
        await databases.configure(server)
        async with databases.administering(server) as connection:
            for name, value in SETTINGS.items():
                await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        server.stop()
        server.start()
        tell(f"Postgres {await databases.version(server)} ({server.origin}), fsync on, {os.cpu_count()} cores")
        start = time.perf_counter()
        url = await history.load(server, LOADED, accounts=ACCOUNTS, history=past)
        async with connected(url) as connection:
            ledger = Ledger(await connection.fetch("SELECT * FROM accounts"))
        tell(f"Loaded {past:,} payments in {time.perf_counter() - start:.0f} s")
        # A database with connections cannot be copied: the variants, which are made from each other, come first.
        urls = {each: await make(server, each, tell) for each in VARIANTS}
        await databases.checkpoint(server)
        async with AsyncExitStack() as connections:
            arms = [await _arm(variant, url, connections) for variant, url in urls.items()]
            await _measure(server, arms, ledger, tell)
            for arm in arms:
                tell(f"{arm.variant.name}, an old answer: {await _expire(server, arm)}")
            for arm in arms:
                if not arm.variant.uuids:
                    await _lists(server, arm, tell)


async def _arm(variant: Variant, url: str, connections: AsyncExitStack) -> Arm:
    connection = await _connect(url)
    connections.push_async_callback(connection.close)
    return Arm(variant=variant, url=url, connection=connection, loaded=await sizes(connection))


async def _connect(url: str) -> asyncpg.Connection:
    """A connection that plans and encodes as the gateway's do, and knows arrays of UUIDs as well."""
    connection = await asyncpg.connect(url, server_settings={**PLANNING_BY_INDEX, "jit": "off"})
    if not use_own_codec(connection):
        raise VoidRun("asyncpg encodes the arrays itself.")
    connection._protocol.get_settings().add_python_codec(  # noqa: SLF001 - as in `use_own_codec`.
        UUIDS.oid, UUIDS.name, "pg_catalog", (), "scalar", lambda values: encoded_array(UUIDS, values), bytes, "binary"
    )
    return connection


async def _measure(server: LocalPostgres, arms: Sequence[Arm], ledger: Ledger, tell: Tell) -> None:
    """Let the variants take turns, beginning with another one in each round."""
    large = BATCHES_OF_A_ROUND[LARGE]
    for _ in range(0, WARM_UP_BATCHES, large):
        statements = [ledger.batch(LARGE) for _ in range(large)]
        for arm in arms:
            await _turn(server, arm, statements, LARGE)
    tell("Warmed up")
    before = [await sizes(arm.connection) for arm in arms]
    for number in range(ROUNDS):
        first = number % len(arms)
        for count, batches in BATCHES_OF_A_ROUND.items():
            statements = [ledger.batch(count) for _ in range(batches)]
            for arm in (*arms[first:], *arms[:first]):
                arm.costs.setdefault(count, []).append(await _turn(server, arm, statements, count))
    await _must_agree(arms)
    _tell_costs(arms, tell)
    written = ROUNDS * sum(count * batches for count, batches in BATCHES_OF_A_ROUND.items())
    for arm, smaller in zip(arms, before, strict=True):
        _tell_sizes(arm, smaller, await sizes(arm.connection), written, tell)


async def _turn(server: LocalPostgres, arm: Arm, statements: Sequence[Statement], count: int) -> Cost:
    """Write batches of so many payments."""
    given = [(adapted(each.text, arm.variant), each.arguments) for each in statements]
    ready = [(each.text, each.arguments(arguments)) for each, arguments in given]
    backend, everything = [arm.connection.get_server_pid()], usage.processes_below(server.pid)
    full_pages, lsn = await _full_pages(arm.connection), await log_position(arm.connection)
    cpu, cpu_of_backend = usage.exact_cpu_seconds(everything), usage.exact_cpu_seconds(backend)
    for text, arguments in ready:
        await arm.connection.fetch(text, *arguments)
    cpu = usage.exact_cpu_seconds(everything) - cpu
    cpu_of_backend = usage.exact_cpu_seconds(backend) - cpu_of_backend
    lsn = await log_position(arm.connection) - lsn
    paid = count * len(statements)
    return Cost(
        cpu_us=1e6 * cpu / paid,
        backend_us=1e6 * cpu_of_backend / paid,
        wal_bytes=lsn / paid,
        full_pages=(await _full_pages(arm.connection) - full_pages) / paid,
    )


async def _full_pages(connection: asyncpg.Connection) -> int:
    await connection.execute("SELECT pg_stat_force_next_flush()")
    return int(await connection.fetchval("SELECT wal_fpi FROM pg_stat_wal"))


async def _must_agree(arms: Sequence[Arm]) -> None:
    """Check that all variants have the same payments, balances, and answers."""
    found: set[tuple[Any, ...]] = set()
    for arm in arms:
        table = "events WHERE answer_key IS NOT NULL" if arm.variant.answers_in_events else "answers"
        found.add(tuple(await arm.connection.fetchrow(CONTENTS.format(answers=table))))
    if len(found) != 1:
        raise VoidRun(f"The variants differ: {found}")


async def _expire(server: LocalPostgres, arm: Arm) -> str:
    """What the deletion of answers costs for each, and the vacuum afterwards."""
    table, deletion = ("events", CLEAR_ANSWERS) if arm.variant.answers_in_events else ("answers", DELETE_ANSWERS)
    costs: list[str] = []
    for title, statement, arguments in (("deletion", deletion, (EXPIRED,)), ("vacuum", f"VACUUM {table}", ())):
        processes = usage.processes_below(server.pid)
        lsn, cpu = await log_position(arm.connection), usage.exact_cpu_seconds(processes)
        await arm.connection.execute(statement, *arguments)
        cpu = 1e6 * (usage.exact_cpu_seconds(processes) - cpu) / EXPIRED
        costs.append(f"{title} {cpu:.1f} µs, log {(await log_position(arm.connection) - lsn) / EXPIRED:,.0f} bytes")
    return ", ".join(costs)


async def _lists(server: LocalPostgres, arm: Arm, tell: Tell) -> None:
    """The first pages of lists of transactions, as the gateway asks for them, in processor time of Postgres."""
    async with connected(arm.url) as connection:
        people = await connection.fetch("SELECT customer, merchant FROM bench.people ORDER BY number LIMIT $1", LISTED)
        paid = await connection.fetch("SELECT id FROM payments ORDER BY id DESC LIMIT $1", LISTED)
        if PAYMENT_INDEX not in arm.variant.dropped:
            await _by_way_of_payments(connection, arm, [row["customer"] for row in people], tell)
    wanted: Mapping[str, Sequence[TransactionFilter]] = {
        "customer": [TransactionFilter(customer_id=UserId(row["customer"])) for row in people],
        "merchant": [TransactionFilter(merchant_id=UserId(row["merchant"])) for row in people],
        "payment": [TransactionFilter(payment_id=PaymentId(row["id"])) for row in paid],
    }
    async with open_sql_storage(arm.url) as storage:
        for name, filters in wanted.items():
            taken: list[float] = []
            found = 0
            for each in filters:
                before = usage.exact_cpu_seconds(usage.processes_below(server.pid))
                found += len(await storage.reader.transactions(each, before=None, limit=LIMIT))
                taken.append(1e3 * (usage.exact_cpu_seconds(usage.processes_below(server.pid)) - before))
            tell(
                f"{arm.variant.name}, transactions of a {name}: median {statistics.median(taken):.2f} ms, "
                f"longest {max(taken):.2f}, {found / len(filters):.0f} found"
            )


async def _by_way_of_payments(connection: asyncpg.Connection, arm: Arm, customers: Sequence[str], tell: Tell) -> None:
    prepared = await connection.prepare(BY_WAY_OF_PAYMENTS)
    backend = [connection.get_server_pid()]
    cpu = usage.exact_cpu_seconds(backend)
    for customer in customers:
        await prepared.fetch(customer, LIMIT)
    cpu = 1e3 * (usage.exact_cpu_seconds(backend) - cpu) / len(customers)
    tell(f"{arm.variant.name}, transactions of a customer by way of payments: {cpu:.2f} ms on average")


def _tell_costs(arms: Sequence[Arm], tell: Tell) -> None:
    """Medians of the rounds, and of the differences to the first variant in the same round, with their quartiles."""
    for count in BATCHES_OF_A_ROUND:
        tell(f"\nBatches of {count}, of a payment")
        for arm in arms:
            texts: list[str] = []
            for name in Cost.__slots__:
                own = [getattr(each, name) for each in arm.costs[count]]
                first = [getattr(each, name) for each in arms[0].costs[count]]
                differences = [mine - theirs for mine, theirs in zip(own, first, strict=True)]
                low, middle, high = statistics.quantiles(differences, n=4)
                texts.append(f"{name} {statistics.median(own):.2f} ({middle:+.2f}, {low:+.2f} to {high:+.2f})")
            tell(f"{arm.variant.name:14} {'  '.join(texts)}")


def _tell_sizes(
    arm: Arm,
    before: Mapping[str, tuple[int, int]],
    after: Mapping[str, tuple[int, int]],
    written: int,
    tell: Tell,
) -> None:
    loaded = " ".join(f"{name} {rows / 1e6:,.0f}+{indexes / 1e6:,.0f}" for name, (rows, indexes) in arm.loaded.items())
    in_all = sum(map(sum, arm.loaded.values())) / 1e6
    tell(f"\n{arm.variant.name}, tables + indexes as loaded: {in_all:,.0f} MB: {loaded}")
    grown = {
        name: ((after[name][0] - before[name][0]) / written, (after[name][1] - before[name][1]) / written)
        for name in after
    }
    told = " ".join(f"{name} {rows:,.0f}+{indexes:,.0f}" for name, (rows, indexes) in grown.items())
    tell(f"grown by {sum(map(sum, grown.values())):,.0f} bytes a payment: {told}")
