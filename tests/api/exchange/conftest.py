"""A bureau for every test."""

from collections.abc import AsyncIterator

import pytest

from support.api_client import World, ok
from support.bureau import Bureau, set_rate


@pytest.fixture
async def bureau(world: World) -> AsyncIterator[Bureau]:
    """The books are checked in the end."""
    operator = await world.operator()
    await set_rate(operator, "EUR/USD", "1.0842", 50)
    yield Bureau(
        world=world,
        customer=await world.customer(currency="EUR", balance=100_000),
        merchant=await world.merchant(),
        operator=operator,
    )
    assert ok(await operator.api.get("/ledger/invariants"))["ok"] is True
