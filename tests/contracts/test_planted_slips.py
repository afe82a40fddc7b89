"""Each of many slips that authors of storages make is found by a contract."""

import inspect
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.adapters.memory import memory_storage
from gateway.contracts.outages import Breakable, OpenBreakable, OutageContract
from gateway.contracts.storage import StorageContract
from gateway.ports import Storage
from gateway.testing.faults import StorageFaults
from support.planted_slips import SLIPS, Slip

Plant = Callable[[Storage], Storage]


class Contracts(StorageContract, OutageContract):
    """Those in which slips are found."""

    __test__ = False


def breakable(storage: Storage, plant: Plant) -> OpenBreakable:
    """Opens the storage with a slip in it, over faults that it does not know of."""

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Breakable]:
        faults = StorageFaults()

        @asynccontextmanager
        async def away() -> AsyncGenerator[None]:
            with faults.away():
                yield

        yield Breakable(plant(faults.over(storage)), away)

    return opened


async def judge(slip: Slip, plant: Plant) -> None:
    """Run the test that is to find a slip."""
    test = getattr(Contracts(), slip.test)
    storage = plant(memory_storage())
    fixtures = {"storage": storage, "rates": storage.rates, "open_breakable": breakable(memory_storage(), plant)}
    wanted = inspect.signature(test).parameters
    await test(**{name: value for name, value in fixtures.items() if name in wanted}, **slip.arguments)


@pytest.mark.parametrize("name", SLIPS)
async def test_a_contract_finds_the_slip_and_nothing_without_it(name: str) -> None:
    slip = SLIPS[name]
    await judge(slip, lambda storage: storage)
    with pytest.raises((Exception, pytest.fail.Exception)) as found:
        await judge(slip, slip.plant)
    assert not isinstance(found.value, AttributeError | NameError | TypeError), "the slip itself is broken"


def test_there_are_forty_of_them() -> None:
    assert len(SLIPS) >= 40
