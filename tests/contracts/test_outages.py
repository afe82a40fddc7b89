"""Every storage goes on after it was away, and lets no error of its driver out.

Memory has no driver: there the faults of `gateway.testing` are tested. What was broken by hand in the SQL adapter:
errors of SQLite for a full disk and a moved file, and errors of connections to Postgres, not translated. All tests
failed.
"""

from dataclasses import fields
from itertools import count
from pathlib import Path

import pytest

from gateway.contracts.hostile_input import CALLS
from gateway.contracts.outages import OTHER_CALLS, OpenBreakable, OutageContract
from gateway.ports import Deliveries, Storage
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


def test_every_part_of_a_storage_is_called_while_it_is_away() -> None:
    called = {*CALLS, *OTHER_CALLS}
    parts = {each.type for each in fields(Storage) if isinstance(each.type, type)} - {Deliveries}
    assert parts <= called
    assert len(parts) > 10
    assert set(Deliveries.__mro__) & called == {each for each in OTHER_CALLS if each.__name__.startswith("Delivery")}
