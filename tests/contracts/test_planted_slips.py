"""Each of many slips that authors of storages make is found by a contract."""

import inspect

import pytest

from gateway.adapters.memory import memory_storage
from gateway.contracts.storage import StorageContract
from gateway.ports import Storage
from support.planted_slips import SLIPS, Slip


async def judge(slip: Slip, storage: Storage) -> None:
    """Run the test that is to find a slip."""
    test = getattr(StorageContract(), slip.test)
    fixtures = {"storage": storage, "rates": storage.rates}
    wanted = inspect.signature(test).parameters
    await test(**{name: value for name, value in fixtures.items() if name in wanted}, **slip.arguments)


@pytest.mark.parametrize("name", SLIPS)
async def test_a_contract_finds_the_slip_and_nothing_without_it(name: str) -> None:
    slip = SLIPS[name]
    await judge(slip, memory_storage())
    with pytest.raises((Exception, pytest.fail.Exception)) as found:
        await judge(slip, slip.plant(memory_storage()))
    assert not isinstance(found.value, AttributeError | NameError | TypeError), "the slip itself is broken"


def test_there_are_thirty_of_them() -> None:
    assert len(SLIPS) >= 30
