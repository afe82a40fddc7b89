"""One run of one arm: load on it for some seconds, and everything that can be said about them."""

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from bench import closed_loop
from bench.ledger import VoidRun, last_payment, written_since
from bench.population import Load
from bench.servers import Server
from bench.usage import cpu_seconds, read_machine, read_postgres
from support.postgres import LocalPostgres

SETTLE_SECONDS: Final = 0.3
"""After a run, a server that has committed nothing for so long has nothing left to do. What wrk no longer waited for is
committed, too, and is counted."""


Credentials: TypeAlias = Literal["tokens", "keys"]
"""What the callers of an arm show: access tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A kind of server under a kind of load.

    Attributes:
        name: Of its row in the results.
        command: Starts its server.
        settings: The environment of its server.
        url: The database of its ledger; `None` if that is not Postgres.
        load: Whom its payments go to.
        credentials: What its callers show.
        batch_size: Payments in each of its requests.
        connections: How many it runs with; `None` for as many as the plan says.
    """

    name: str
    command: Sequence[str]
    settings: Mapping[str, str]
    url: str | None
    load: Load
    credentials: Credentials = "tokens"
    batch_size: int = 1
    connections: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The figures of one run, or the medians of several; per payment where not said otherwise.

    `others_cpu` is the share of the machine's processor time that went to programs which have no part in it.
    """

    connections: int
    payments_per_second: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    app_cpu_us: float
    postgres_cpu_us: float
    generator_cpu_us: float
    wal_bytes: float
    fsyncs: float
    payments_per_transaction: float
    others_cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What every run needs: the server of all databases, and the files of credentials and of merchants."""

    postgres: LocalPostgres
    credentials: dict[Credentials, Path]
    payees: Mapping[Load, Path]


async def run(field: Field, arm: Arm, server: Server, *, connections: int, seconds: float) -> Run:
    """Put load on the server of an arm.

    Raises:
        VoidRun: Something was refused, or the ledger does not have what was answered.
    """
    admin_url = field.postgres.url("postgres")
    newest = await last_payment(arm.url) if arm.url else ""
    machine_before, own_before = read_machine(), time.process_time()
    app_before = cpu_seconds(server.pid)
    before = await read_postgres(admin_url, field.postgres.pid)
    answered = closed_loop.drive(
        server,
        credentials=field.credentials[arm.credentials],
        payees=field.payees[arm.load],
        connections=connections,
        seconds=seconds,
        batch_size=arm.batch_size,
    )
    await _settle(arm)
    after = await read_postgres(admin_url, field.postgres.pid)
    app = cpu_seconds(server.pid) - app_before
    postgres = after.cpu_seconds - before.cpu_seconds
    machine, own = read_machine(), time.process_time() - own_before
    others = machine.busy_seconds - machine_before.busy_seconds - app - postgres - answered.generator_cpu_seconds - own
    per_transaction = 0.0
    paid = answered.requests * arm.batch_size
    if arm.url:
        written = await written_since(arm.url, newest)
        # wrk ends without waiting for what it asked last; all else must be there, and nothing more.
        if not paid <= written.payments <= paid + connections * arm.batch_size:
            raise VoidRun(f"{arm.name}: {paid} payments were answered, but {written.payments} were made.")
        paid = written.payments
        per_transaction = paid / written.transactions
    on_postgres = arm.url is not None
    return Run(
        connections=connections,
        payments_per_second=answered.requests * arm.batch_size / answered.seconds,
        p50_ms=answered.p50_ms,
        p99_ms=answered.p99_ms,
        p999_ms=answered.p999_ms,
        app_cpu_us=app / paid * 1e6,
        postgres_cpu_us=postgres / paid * 1e6 if on_postgres else 0.0,
        generator_cpu_us=answered.generator_cpu_seconds / paid * 1e6,
        wal_bytes=(after.wal_bytes - before.wal_bytes) / paid if on_postgres else 0.0,
        fsyncs=(after.fsyncs - before.fsyncs) / paid if on_postgres else 0.0,
        payments_per_transaction=per_transaction,
        others_cpu=max(others, 0.0) / (machine.seconds - machine_before.seconds),
    )


async def _settle(arm: Arm) -> None:
    await asyncio.sleep(SETTLE_SECONDS)
    newest = None
    while arm.url is not None and newest != (newest := await last_payment(arm.url)):  # noqa: ASYNC110 - another process is asked.
        await asyncio.sleep(SETTLE_SECONDS)


def median(runs: Sequence[Run]) -> Run:
    """Each figure's median over runs of one arm, all with as many connections."""
    figures = {name: statistics.median(getattr(run, name) for run in runs) for name in Run.__slots__}
    return Run(**{**figures, "connections": runs[0].connections})
