"""Refresh tokens: each is good for one use, and a second use ends the session."""

import asyncio

import pytest

from gateway.application.access.access import Access
from gateway.application.errors import (
    InvalidInput,
    TokenExpired,
    TokenInvalid,
    TokenRevoked,
)
from support.access import log_in
from support.builders import StandingClock


async def test_a_refresh_token_gives_a_new_pair(access: Access, clock: StandingClock) -> None:
    first = await log_in(access)
    clock.advance(1)
    second = await access.refresh(first.refresh_token)
    third = await access.refresh(second.refresh_token)
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert len({first.access_token, second.access_token, third.access_token}) == 3
    callers = [await access.authenticate(each.access_token) for each in (first, second, third)]
    assert callers[0] == callers[1] == callers[2]
    assert third.user == first.user
    assert third.expires_in_seconds == access.tokens.lifetime_seconds


async def test_using_an_old_refresh_token_ends_the_session(access: Access, clock: StandingClock) -> None:
    first = await log_in(access)
    second = await access.refresh(first.refresh_token)
    clock.advance(11)
    with pytest.raises(TokenRevoked):
        await access.refresh(first.refresh_token)
    with pytest.raises(TokenRevoked):
        await access.refresh(second.refresh_token)
    with pytest.raises(TokenRevoked):
        await access.authenticate(second.access_token)


async def test_using_a_refresh_token_two_steps_back_ends_the_session_at_once(access: Access) -> None:
    first = await log_in(access)
    second = await access.refresh(first.refresh_token)
    third = await access.refresh(second.refresh_token)
    with pytest.raises(TokenRevoked):
        await access.refresh(first.refresh_token)
    with pytest.raises(TokenRevoked):
        await access.refresh(third.refresh_token)


async def test_a_lost_answer_is_given_again_within_the_grace_time(access: Access, clock: StandingClock) -> None:
    first = await log_in(access)
    second = await access.refresh(first.refresh_token)
    clock.advance(10)
    again = await access.refresh(first.refresh_token)
    assert again.refresh_token == second.refresh_token
    await access.authenticate(again.access_token)
    await access.refresh(again.refresh_token)


async def test_concurrent_refreshes_get_the_same_successor(access: Access) -> None:
    first = await log_in(access)
    pairs = await asyncio.gather(*(access.refresh(first.refresh_token) for _ in range(8)))
    assert len({pair.refresh_token for pair in pairs}) == 1


async def test_a_token_that_a_server_a_day_ahead_has_exchanged_is_not_good_for_a_day(
    access: Access, clock: StandingClock
) -> None:
    first = await log_in(access)
    clock.advance(24 * 3600)
    second = await access.refresh(first.refresh_token)
    clock.advance(-24 * 3600)
    with pytest.raises(TokenRevoked):
        await access.refresh(first.refresh_token)
    with pytest.raises(TokenRevoked):
        await access.refresh(second.refresh_token)


async def test_a_lost_answer_of_a_server_a_little_ahead_is_given_again(access: Access, clock: StandingClock) -> None:
    first = await log_in(access)
    clock.advance(access.limits.leeway_seconds)
    second = await access.refresh(first.refresh_token)
    clock.advance(-access.limits.leeway_seconds)
    assert (await access.refresh(first.refresh_token)).refresh_token == second.refresh_token


async def test_another_session_lives_on(access: Access, clock: StandingClock) -> None:
    stolen, other = await log_in(access), await log_in(access)
    await access.refresh(stolen.refresh_token)
    clock.advance(11)
    with pytest.raises(TokenRevoked):
        await access.refresh(stolen.refresh_token)
    await access.authenticate(other.access_token)
    await access.refresh(other.refresh_token)


async def test_a_session_that_nobody_used_for_long_has_expired(access: Access, clock: StandingClock) -> None:
    signed_in = await log_in(access)
    clock.advance(access.limits.session_seconds)
    with pytest.raises(TokenExpired):
        await access.refresh(signed_in.refresh_token)


@pytest.mark.parametrize(
    "text",
    [
        "rt_",
        "rt",
        "rt_zz",
        "rt_" + "0" * 63,
        "rt_" + "0" * 66,
        "rt_" + "A" * 64,
        "xx_" + "0" * 64,
        "rt_" + "0" * 64,
        "rt_é",
        "x" * 256,
    ],
)
async def test_what_is_no_refresh_token_is_refused(access: Access, text: str) -> None:
    with pytest.raises(TokenInvalid):
        await access.refresh(text)


async def test_an_access_token_is_no_refresh_token_and_the_other_way_round(access: Access) -> None:
    signed_in = await log_in(access)
    with pytest.raises(InvalidInput):  # It is longer than any refresh token.
        await access.refresh(signed_in.access_token)
    with pytest.raises(TokenInvalid):
        await access.authenticate(signed_in.refresh_token)
