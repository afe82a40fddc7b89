"""The simulation knows the ports alone: it can be played on databases too, faults and all."""

from pathlib import Path

from gateway.adapters.memory import memory_storage
from gateway.adapters.sql import migrate, open_sql_storage
from gateway.simulation.report import Report
from gateway.simulation.run import simulate

STEPS = 150


async def history_on(url: str, *, races: bool) -> Report:
    async with open_sql_storage(url) as storage:
        return await simulate(storage, seed=3, steps=STEPS, faulty=True, races=races)


async def test_a_history_is_the_same_on_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'simulation.db'}"
    await migrate(url)
    assert await history_on(url, races=False) == await simulate(memory_storage(), seed=3, steps=STEPS, faulty=True)


async def test_a_history_is_sound_on_postgres(postgres_url: str) -> None:
    """It is another one each time: what is asked at once is decided in whatever order the server comes to it,
    and whoever was overtaken has to try again."""
    assert (await history_on(postgres_url, races=True)).failure is None
