"""What a run cost: processor time from the system, and what Postgres wrote."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
import psutil  # type: ignore[import-untyped]  # As asyncpg.

from bench.connection import connected

FSYNCS_SINCE_18: Final = "SELECT coalesce(sum(fsyncs), 0)::bigint FROM pg_stat_io WHERE object = 'wal'"
FSYNCS_BEFORE: Final = "SELECT wal_sync FROM pg_stat_wal"
VERSION_18: Final = 180_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresReading:
    """Counters of a whole server, which only rise. `fsyncs` lags: each backend reports once a second at most."""

    cpu_seconds: float
    wal_bytes: int
    fsyncs: int


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, of its living descendants, and of those that it has seen end."""
    root = psutil.Process(pid)
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue  # It ended just now, and its parent counts it.
    return total


def processes_below(*pids: int) -> list[int]:
    """These processes and their descendants."""
    return [
        process.pid for pid in pids for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
    ]


def exact_cpu_seconds(pids: Sequence[int]) -> float:
    """The time that the main threads of processes ran, to the microsecond; 0 where the system does not tell it."""
    files = (Path(f"/proc/{pid}/schedstat") for pid in pids)
    return sum(int(file.read_text().split()[0]) for file in files if file.exists()) / 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineReading:
    """All cores together: how long they worked, for whomever, and how long they could have."""

    busy_seconds: float
    seconds: float


def read_machine() -> MachineReading:
    """How busy the machine was so far. What the host of a virtual machine took away counts as busy."""
    times = psutil.cpu_times()
    total = sum(times[:8])  # Guests, the rest, are part of user time.
    return MachineReading(busy_seconds=total - times.idle - getattr(times, "iowait", 0.0), seconds=total)


async def read_postgres(url: str, postmaster_pid: int) -> PostgresReading:
    """How much the server has done so far."""
    async with connected(url) as connection:
        return PostgresReading(
            cpu_seconds=cpu_seconds(postmaster_pid),
            wal_bytes=int(await connection.fetchval("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")),
            fsyncs=int(await connection.fetchval(await fsyncs_statement(connection))),
        )


async def fsyncs_statement(connection: asyncpg.Connection) -> str:
    """How this version of Postgres is asked for the fsyncs of its log."""
    version = int(await connection.fetchval("SHOW server_version_num"))
    return FSYNCS_SINCE_18 if version >= VERSION_18 else FSYNCS_BEFORE
