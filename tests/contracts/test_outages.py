"""Every storage goes on after it was away, and lets no error of its driver out.

Memory has no driver: there the faults of `gateway.testing` are tested. What was broken by hand in the SQL adapter:
errors of SQLite for a full disk and a moved file, and errors of connections to Postgres, not translated. All tests
failed.
"""

from itertools import count
from pathlib import Path

import pytest

from gateway.contracts.outages import OpenBreakable, OutageContract
from support.outages import breakable_memory, breakable_postgres, breakable_sqlite
from support.postgres import PostgresServer


@pytest.fixture(params=["memory", "sqlite full", "sqlite moved", "postgres"])
def open_breakable(request: pytest.FixtureRequest, tmp_path: Path) -> OpenBreakable:
    kind, _, how = str(request.param).partition(" ")
    if kind == "memory":
        return breakable_memory
    if kind == "sqlite":
        numbers = count()
        return lambda: breakable_sqlite(tmp_path / f"{next(numbers)}.db", how)
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url: str = request.getfixturevalue("postgres_url")
    return lambda: breakable_postgres(url, server.url("postgres"))


class TestOutages(OutageContract):
    pass
