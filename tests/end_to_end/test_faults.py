"""Each fault of `make torture` once, under load, for a moment: what is promised holds meanwhile and afterwards."""

from collections.abc import AsyncGenerator
from typing import Final

import pytest

from support.postgres import local_postgres, memory_folder
from torture.fault import Fault, endure
from torture.faults import ONCE, network, postgres
from torture.scene import SHORT_TIMEOUTS, Scene, opened

CUTS: Final = 60
RECOVERED_SECONDS_MAX: Final = 60.0
"""On a busy machine. Bounds on time are for `make torture`."""
NAMES: Final = (
    "Postgres never answers a statement that writes",
    "all connections to Postgres are reset at once",
    "a session is ended by an administrator",
    "a backend of Postgres is suspended",
    "Postgres is restarted, fast",
    "a table is locked, and lists wait for it",
    "Postgres is read-only",
    "Postgres has no connection left",
    "the disk of Postgres is full",
    "the clock of a server is a day ahead",
    "the clock of a server is a day behind",
    "the clock of the worker is a day ahead",
    "the clock of all processes is a day ahead",
)
"""One of each kind: starting processes takes long, and what they do when they are killed has tests of its own."""
FAULTS: Final = (network.cutting(CUTS), *(fault for fault in ONCE if fault.name in NAMES))


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Scene]:
    """Processes that stay: starting them takes longer than most faults."""
    folder = tmp_path_factory.mktemp("faults")
    with local_postgres(memory_folder(), max_connections=80, authentication="trust") as server:
        async with opened(server, folder, seed=1, buyers=6, merchants=2, settings=SHORT_TIMEOUTS) as scene:
            yield scene


def test_the_faults_of_this_file_are_in_the_long_run() -> None:
    assert {fault.name for fault in ONCE} >= {*NAMES} - {postgres.DISK_FULL.name}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_every_promise_is_kept_while(scene: Scene, fault: Fault) -> None:
    outcome = await endure(scene, fault, seconds=0.5, recovered_seconds_max=RECOVERED_SECONDS_MAX)
    assert outcome.violations == []
