"""Fixtures: an access with which Ada has registered, its clock and its hasher."""

import pytest

from gateway.application.access.access import Access
from gateway.application.ports.storage import Storage
from gateway.domain.user import Role
from support.access import EMAIL, PASSWORD, PlainHasher, an_access
from support.builders import StandingClock


@pytest.fixture
def clock() -> StandingClock:
    """The time, as every process sees it."""
    return StandingClock()


@pytest.fixture
def passwords() -> PlainHasher:
    """The hasher of `access`."""
    return PlainHasher()


@pytest.fixture
async def access(storage: Storage, clock: StandingClock, passwords: PlainHasher) -> Access:
    """An access which Ada, a customer, has registered with."""
    access = an_access(storage, clock, passwords=passwords)
    await access.register(email=EMAIL, password=PASSWORD, role=Role.CUSTOMER, name="Ada")
    return access
