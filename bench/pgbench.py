"""pgbench's TPC-B on the same server: what Postgres does for somebody who has neither HTTP nor Python."""

import re
import shutil
import subprocess
from typing import Final

from bench.databases import administering
from support.postgres import LocalPostgres, find_binaries

CLIENTS: Final = 16
THREADS: Final = 2
_TPS: Final = re.compile(r"^tps = ([0-9.]+) ", re.MULTILINE)


def _program() -> str:
    own = find_binaries().directory / "pgbench"
    found = str(own) if own.is_file() else shutil.which("pgbench")
    if found is None:
        raise RuntimeError("pgbench is missing: install Postgres's client programs (Debian: apt install postgresql).")
    return found


async def prepare(server: LocalPostgres, scale: int) -> str:
    """A database of this scale (one hot row at 1); its URL."""
    name = f"pgbench_{scale}"
    async with administering(server) as connection:
        await connection.execute(f"CREATE DATABASE {name}")
    url = server.url(name)
    _run("--initialize", "--quiet", "--scale", str(scale), url)
    return url


def transactions_per_second(url: str, seconds: float) -> float:
    """16 clients with prepared statements, for so many seconds."""
    counts = ("--client", str(CLIENTS), "--jobs", str(THREADS), "--time", str(round(seconds)))
    found = _TPS.search(_run("--protocol", "prepared", "--no-vacuum", *counts, url))
    if found is None:
        raise RuntimeError("pgbench did not say how fast it was.")
    return float(found[1])


def _run(*arguments: str) -> str:
    done = subprocess.run([_program(), *arguments], check=True, capture_output=True, text=True)
    return done.stdout
