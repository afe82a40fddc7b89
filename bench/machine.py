"""On what it was measured: figures of two machines cannot be compared."""

import importlib.metadata
import os
import platform
import sysconfig
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import psutil  # type: ignore[import-untyped]  # psutil ships no types.

PACKAGES: Final = (
    *("gateway", "litestar", "uvicorn", "uvloop", "httptools", "msgspec", "sqlalchemy", "asyncpg"),
    *("fastapi", "pydantic", "psycopg"),
)

DEBIANS: Final = "--with-wheel-pkg-dir=/usr/share/python-wheels"
"""A part of the configuration of Debian's Python, also in older releases."""


def describe(postgres: str) -> Sequence[str]:
    """Lines about the machine and the versions; `postgres` is what the server and its origin are called."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    memory_gib = psutil.virtual_memory().total / 2**30
    one, five, fifteen = os.getloadavg()
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"{_processor()}, {psutil.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.system()} {platform.release()}",
        f"load average before the run: {one:.2f} {five:.2f} {fifteen:.2f}",
        f"Python {platform.python_version()} ({python_build()}), PostgreSQL {postgres}",
        versions,
    )


def python_build() -> str:
    """How Python was built: optimisations by profile and at link time make it a sixth faster."""
    configured = sysconfig.get_config_var("CONFIG_ARGS") or ""
    found = [flag for flag in ("--enable-optimizations", "--with-lto") if flag in configured]
    if found:
        return f"configured with {' '.join(found)}"
    # Debian's package is built with both, which its configuration does not name.
    return "Debian's build" if DEBIANS in configured else "built without optimisations by profile"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - a Path would read no better.
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
