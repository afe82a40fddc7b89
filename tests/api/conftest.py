"""Worlds (applications with clients), and users in them."""

from collections.abc import AsyncIterator

import pytest

from support.api_client import Person, World, open_world
from support.every_operation import Everybody


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """An application of the test's own, on memory adapters, in sandbox mode."""
    async with open_world() as world:
        yield world


@pytest.fixture
async def customer(world: World) -> Person:
    """A customer with 1,000.00 USD."""
    return await world.customer(balance=100_000)


@pytest.fixture
async def merchant(world: World) -> Person:
    """A merchant with an empty account in USD."""
    return await world.merchant()


@pytest.fixture
async def operator(world: World) -> Person:
    """An operator."""
    return await world.operator()


@pytest.fixture(scope="session")
async def quiet_world() -> AsyncIterator[World]:
    """One world for all tests that change nothing: their requests are refused, or read."""
    async with open_world() as world:
        yield world


@pytest.fixture(scope="session")
async def quiet_customer(quiet_world: World) -> Person:
    """A customer with 1,000.00 USD, who keeps them."""
    return await quiet_world.customer(balance=100_000)


@pytest.fixture(scope="session")
async def quiet_operator(quiet_world: World) -> Person:
    """An operator who changes nothing."""
    return await quiet_world.operator()


@pytest.fixture(scope="session")
async def quiet_everybody(quiet_world: World, quiet_customer: Person, quiet_operator: Person) -> Everybody:
    """Somebody of each role, who changes nothing."""
    merchant = await quiet_world.merchant()
    return Everybody(world=quiet_world, customer=quiet_customer, merchant=merchant, operator=quiet_operator)


@pytest.fixture
async def everybody_new(world: World, customer: Person, merchant: Person, operator: Person) -> Everybody:
    """Somebody of each role, in a world of the test's own."""
    return Everybody(world=world, customer=customer, merchant=merchant, operator=operator)
