"""The mark of production's database."""

import asyncio
from pathlib import Path

import pytest

from gateway.adapters.sql import is_production, mark_as_production, migrate
from support.migrations import on_connection, to_revision


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


async def test_a_database_is_productions_once_it_is_marked(empty_url: str) -> None:
    assert not await is_production(empty_url)
    await migrate(empty_url)
    assert not await is_production(empty_url)

    for _ in range(2):
        await mark_as_production(empty_url)

        assert await is_production(empty_url)


async def test_a_database_of_an_earlier_version_is_not_marked(empty_postgres_url: str) -> None:
    await on_connection(empty_postgres_url, to_revision("0003"))
    assert not await is_production(empty_postgres_url)


def test_to_look_makes_no_file(tmp_path: Path) -> None:
    assert not asyncio.run(is_production(f"sqlite:///{tmp_path / 'none.sqlite3'}"))
    assert not [*tmp_path.iterdir()]
