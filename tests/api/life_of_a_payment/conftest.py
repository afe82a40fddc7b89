"""The life of a payment is tested on memory and on Postgres."""

from collections.abc import AsyncIterator

import pytest

from gateway.contracts.history import OpenStorage
from support.api_client import World, open_world


@pytest.fixture(params=["memory", "postgres"])
def open_storage(request: pytest.FixtureRequest) -> OpenStorage:
    """Opens an empty storage of each kind."""
    opener: OpenStorage = request.getfixturevalue(f"open_{request.param}")
    return opener


@pytest.fixture
async def world(open_storage: OpenStorage) -> AsyncIterator[World]:
    """An application of the test's own, in place of the one on memory that other tests have."""
    async with open_storage() as storage, open_world(storage=storage) as world:
        yield world
