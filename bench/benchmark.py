"""The benchmark itself: all arms beside each other, taking turns, on one Postgres."""

import contextlib
import statistics
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console

from bench import closed_loop, databases, deliveries, fairness, in_process, machine, open_loop, pgbench, results
from bench.ledger import must_balance
from bench.plan import Plan
from bench.population import Load, People, api_keys, make_people, populate, tokens
from bench.results import Results
from bench.runs import Arm, Credentials, Field, Run, median, run
from bench.servers import Server, arm_module, gateway, serving
from gateway import collect_garbage_seldom
from gateway.adapters.jose.keys import generate_pem
from gateway.adapters.sql import migrate, open_sql_storage
from support.postgres import LocalPostgres

SHARES: Final = (0.5, 0.7, 0.9)
"""Of the peak: the rates of the open loop."""
BATCH_CONNECTIONS: Final = 4
"""Each with a batch on its way: while one is decided, another one is read."""
LEADING: Final = (
    results.UNIFORM,
    results.HOT,
    results.HOT_TWO_WORKERS,
    results.PER_REQUEST,
    results.PER_REQUEST_HOT,
)
"""The arms which run with every number of connections."""


class Contender(NamedTuple):
    """An arm before it runs. Its callers show `credentials`, one of `Field.credentials`."""

    name: str
    command: Sequence[str]
    load: Load
    credentials: Credentials = "tokens"
    on_postgres: bool = True
    settings: Mapping[str, str] = {}
    batch_size: int = 1
    connections: int | None = None


def contenders(folder: Path) -> list[Contender]:
    """All arms over HTTP, in the order of their turns: those that are compared follow each other."""
    alone = {"BENCH_PEOPLE": str(folder / "people.json"), "GATEWAY_DATABASE_URL": "memory://"}
    sqlite = {"GATEWAY_DATABASE_URL": f"sqlite:///{folder}/http.sqlite3"}
    without_database = arm_module("without_database")
    return [
        Contender(results.UNIFORM, gateway(), "uniform"),
        Contender(results.KEYS, gateway(), "uniform", credentials="keys"),
        Contender(results.PER_REQUEST, arm_module("per_request"), "uniform"),
        Contender(results.SYNC_ORM, arm_module("sync_orm"), "uniform"),
        Contender(results.HOT, gateway(), "hot"),
        Contender(results.PER_REQUEST_HOT, arm_module("per_request"), "hot"),
        Contender(results.SYNC_ORM_HOT, arm_module("sync_orm"), "hot"),
        Contender(results.HOT_TWO_WORKERS, gateway("--workers", "2"), "hot"),
        Contender(results.ZIPF, gateway(), "zipf"),
        Contender(results.BATCH_OF_100, gateway(), "uniform", batch_size=100, connections=BATCH_CONNECTIONS),
        Contender(results.BATCH_OF_1000, gateway(), "uniform", batch_size=1000, connections=BATCH_CONNECTIONS),
        Contender(results.SQLITE, gateway(), "uniform", on_postgres=False, settings=sqlite),
        Contender(
            results.NOTHING, without_database, "uniform", on_postgres=False, settings={**alone, "BENCH_NOTHING": "1"}
        ),
        Contender(results.MEMORY, without_database, "uniform", on_postgres=False, settings=alone),
    ]


async def benchmark(plan: Plan, console: Console) -> Results:
    """Run everything.

    Raises:
        VoidRun: The figures would mean nothing.
    """
    closed_loop.require_wrk()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, databases.running() as postgres:
        folder = Path(name)
        people = make_people(plan.accounts)
        people.save(folder / "people.json")
        await databases.configure(postgres)
        await databases.prepare(postgres, people)
        found = Results(machine=machine.describe(await _description(postgres)))
        await _in_process(plan, found, postgres, people, folder, console)
        await _over_http(plan, found, postgres, people, folder, console)
    return found


async def only_webhooks(plan: Plan) -> Results:
    """Measure the webhooks alone.

    Raises:
        VoidRun: As `benchmark`.
    """
    with databases.running() as postgres:
        people = make_people(plan.accounts)
        await databases.configure(postgres)
        await databases.prepare(postgres, people)
        found = Results(machine=machine.describe(await _description(postgres)))
        pem = generate_pem()
        url = await databases.copy(postgres, "deliveries")
        found.deliveries = await deliveries.measure(plan, url, people, pem, tokens(people, pem))
    return found


async def _description(postgres: LocalPostgres) -> str:
    return f"{await databases.version(postgres)} ({postgres.origin}), fsync on"


async def _in_process(
    plan: Plan, found: Results, postgres: LocalPostgres, people: People, folder: Path, console: Console
) -> None:
    count = plan.in_process_payments
    console.print("In process: memory, SQLite, batches on Postgres ...")
    collect_garbage_seldom()  # As `gateway serve` does, and as embedding services are advised to.
    found.memory_per_second = await in_process.on_memory(people, count)
    found.memory_executor_per_second = await in_process.on_memory_through_the_door(people, count)
    few = count // in_process.SQLITE_SHARE
    found.sqlite_single_per_second = await in_process.on_sqlite(folder, few // 4, grouped=False)
    found.sqlite_grouped_per_second = await in_process.on_sqlite(folder, few, grouped=True)
    found.batch_law = await in_process.batch_law(await databases.copy(postgres, "law"), people, plan.seconds * 2)
    found.footprint = await in_process.footprint(await databases.copy(postgres, "footprint"), people, count)


async def _over_http(
    plan: Plan, found: Results, postgres: LocalPostgres, people: People, folder: Path, console: Console
) -> None:
    pem = generate_pem()
    signed = tokens(people, pem)
    loads: tuple[Load, ...] = ("uniform", "hot", "zipf")
    field = Field(
        postgres=postgres,
        credentials={"tokens": closed_loop.write_lines(folder / "tokens", signed)},
        payees={load: closed_loop.write_lines(folder / load, people.payees(load)) for load in loads},
    )
    peers = {
        results.PGBENCH: await pgbench.prepare(postgres, 20),
        results.PGBENCH_HOT: await pgbench.prepare(postgres, 1),
    }
    await _populate_sqlite(folder / "http.sqlite3", people)
    arms = {each.name: await _arm(each, pem, postgres, number) for number, each in enumerate(contenders(folder))}
    field.credentials["keys"] = await _keys_of(arms[results.KEYS], people, folder)
    await databases.checkpoint(postgres)
    await _take_turns(plan, found, field, list(arms.values()), peers, console)
    await _open_loop(plan, found, field, arms[results.UNIFORM], signed, people, console)
    console.print("Fairness: single payments beside a flood of batches ...")
    await databases.checkpoint(postgres)  # Otherwise the disk is still busy with all that was measured before.
    found.fairness = await fairness.measure(postgres, plan.flood)
    console.print("Webhooks: a queue, and the lag beside good and bad receivers ...")
    url = await databases.copy(postgres, "deliveries")
    found.deliveries = await deliveries.measure(plan, url, people, pem, signed)
    for each in arms.values():
        if each.url is not None:
            console.print(f"Verifying the ledger: {each.name}")
            await must_balance(each.url)
    await must_balance(f"sqlite:///{folder}/http.sqlite3")


async def _arm(contender: Contender, pem: str, postgres: LocalPostgres, number: int) -> Arm:
    url = await databases.copy(postgres, f"arm_{number}") if contender.on_postgres else None
    settings = {
        "GATEWAY_TOKEN_PRIVATE_KEY": pem,
        "GATEWAY_LOG_LEVEL": "warning",
        **({"GATEWAY_DATABASE_URL": url} if url else {}),
        **contender.settings,
    }
    return Arm(
        name=contender.name,
        command=contender.command,
        settings=settings,
        url=url,
        load=contender.load,
        credentials=contender.credentials,
        batch_size=contender.batch_size,
        connections=contender.connections,
    )


@contextlib.asynccontextmanager
async def _started(plan: Plan, field: Field, arm: Arm) -> AsyncGenerator[Server]:
    """The server of an arm, which has seen every token.

    Each start lays the server's memory out anew, which makes it a little faster or slower until its end. The median
    over several starts differs less between two benchmarks of one version than the median over runs of one server.
    """
    with serving(arm.command, arm.settings) as server:
        await run(field, arm, server, connections=_connections(plan, arm), seconds=plan.warm_up_seconds)
        yield server


def _connections(plan: Plan, arm: Arm) -> int:
    return arm.connections or plan.connections_main


async def _take_turns(
    plan: Plan, found: Results, field: Field, arms: Sequence[Arm], peers: Mapping[str, str], console: Console
) -> None:
    taken: dict[tuple[str, int], list[Run]] = {}
    of_peers: dict[str, list[float]] = {name: [] for name in peers}
    for turn in range(1, plan.rounds + 1):
        for arm in arms:
            others = plan.connections if arm.name in LEADING else ()
            async with _started(plan, field, arm) as server:
                for connections in (_connections(plan, arm), *others):
                    one = await run(field, arm, server, connections=connections, seconds=plan.seconds)
                    taken.setdefault((arm.name, connections), []).append(one)
                    console.print(
                        f"Round {turn}, {connections:3} connections: {one.payments_per_second:7,.0f}/s, "
                        f"p50 {one.p50_ms:7.2f} ms  {arm.name}"
                    )
        for name, url in peers.items():
            per_second = pgbench.transactions_per_second(url, plan.seconds)
            of_peers[name].append(per_second)
            console.print(f"Round {turn}: {per_second:7,.0f}/s  {name}")
    for (name, connections), runs in taken.items():
        found.runs.setdefault(name, {})[connections] = median(runs)
    found.pgbench = {name: statistics.median(rates) for name, rates in of_peers.items()}


async def _open_loop(
    plan: Plan, found: Results, field: Field, arm: Arm, signed: Sequence[str], people: People, console: Console
) -> None:
    peak = found.peak(arm.name).payments_per_second
    payees = people.payees("uniform", 1000)
    async with _started(plan, field, arm) as server:
        for rate in (share * peak for share in SHARES):
            console.print(f"Open loop at {rate:,.0f} of {peak:,.0f} payments/s")
            one = await open_loop.drive(server, tokens=signed, payees=payees, rate=rate, seconds=plan.open_loop_seconds)
            found.open_loop.append(one)


async def _keys_of(arm: Arm, people: People, folder: Path) -> Path:
    """API keys of the customers, which the database of this arm knows, in a file."""
    async with open_sql_storage(str(arm.url)) as storage:
        return closed_loop.write_lines(folder / "keys", await api_keys(storage, people))


async def _populate_sqlite(path: Path, people: People) -> None:
    url = f"sqlite:///{path}"
    await migrate(url)
    async with open_sql_storage(url) as storage:
        await populate(storage, people)
