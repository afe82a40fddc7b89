"""Parallel refreshes of one token, at two processes, on every storage."""

import asyncio

import pytest

from gateway.application.errors import TokenRevoked
from gateway.application.ports.storage import Storage
from gateway.domain.user import Role
from support.access import PASSWORD, an_access
from support.builders import StandingClock

PARALLEL = 50


async def test_fifty_parallel_refreshes_leave_one_lineage(storage: Storage) -> None:
    """All get the same successor, which is good for one more exchange."""
    clock = StandingClock()
    processes = [an_access(storage, clock) for _ in range(2)]
    first, second = processes
    await first.register(email="ada@example.com", password=PASSWORD, role=Role.CUSTOMER)
    token = (await first.log_in(email="ada@example.com", password=PASSWORD, address="192.0.2.1")).refresh_token
    signed_in = await asyncio.gather(*(processes[number % 2].refresh(token) for number in range(PARALLEL)))
    assert len({each.refresh_token for each in signed_in}) == 1
    assert len({(await second.authenticate(each.access_token)).session_id for each in signed_in}) == 1
    # One lineage: the successor is good for one exchange, and a second use of it ends the only session there is.
    clock.advance(60)
    last = await first.refresh(signed_in[0].refresh_token)
    clock.advance(60)
    with pytest.raises(TokenRevoked):
        await second.refresh(signed_in[0].refresh_token)
    with pytest.raises(TokenRevoked):
        await first.refresh(last.refresh_token)
