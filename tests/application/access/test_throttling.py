"""Failed logins: how long the next try has to wait, by account and by address."""

import asyncio

import pytest

from gateway.application.access.access import Access
from gateway.application.access.limits import AccessLimits
from gateway.application.errors import (
    InvalidCredentials,
    Overloaded,
    RateLimited,
    TokenExpired,
)
from gateway.application.ports.storage import Storage
from gateway.domain.user import Role
from support.access import EMAIL, HERE, PASSWORD, PlainHasher, an_access, fail_to_log_in, log_in
from support.builders import StandingClock


async def test_a_few_failures_are_free(access: Access) -> None:
    await fail_to_log_in(access, 5)
    with pytest.raises(RateLimited):
        await log_in(access)


async def test_each_further_failure_doubles_the_wait_up_to_its_limit(access: Access, clock: StandingClock) -> None:
    await fail_to_log_in(access, 5)
    for wait_seconds in (1, 2, 4, 8, 16, 32, 60, 60):
        clock.advance(wait_seconds - 0.001)
        with pytest.raises(RateLimited) as refused:
            await log_in(access)
        assert refused.value.facts == {"retry_after_seconds": 1}
        clock.advance(0.001)
        await fail_to_log_in(access)
    clock.advance(60)
    await log_in(access)


async def test_failures_that_a_server_a_day_ahead_has_counted_delay_nobody_for_a_day(
    access: Access, clock: StandingClock
) -> None:
    clock.advance(24 * 3600)
    for _ in range(access.limits.free_tries):
        with pytest.raises(InvalidCredentials):
            await log_in(access, password="wrong password")
    with pytest.raises(RateLimited):
        await log_in(access)
    clock.advance(-24 * 3600)
    await log_in(access)


async def test_it_is_told_how_long_to_wait(access: Access, clock: StandingClock) -> None:
    await fail_to_log_in(access, 5)
    for seconds in (1, 2, 4):
        clock.advance(seconds)
        await fail_to_log_in(access)
    with pytest.raises(RateLimited) as refused:
        await log_in(access)
    told = refused.value.facts["retry_after_seconds"]
    clock.advance(told)
    assert 8 <= told <= 9
    await log_in(access)


async def test_a_try_that_was_not_heard_is_no_failure(access: Access, clock: StandingClock) -> None:
    await fail_to_log_in(access, 5)
    for _ in range(10):
        with pytest.raises(RateLimited):
            await log_in(access)
    clock.advance(1)
    await log_in(access)


async def test_a_login_forgets_the_failures_of_its_account(access: Access) -> None:
    await fail_to_log_in(access, 4)
    await log_in(access)
    await fail_to_log_in(access, 4, address="192.0.2.2")
    await log_in(access, address="192.0.2.3")


async def test_an_hour_without_a_failure_forgets_them(access: Access, clock: StandingClock) -> None:
    await fail_to_log_in(access, 5)
    clock.advance(1)
    await fail_to_log_in(access)
    clock.advance(3601)
    await fail_to_log_in(access, 5)
    clock.advance(1)
    await log_in(access)


async def test_failures_at_an_account_from_everywhere_slow_it_down_by_a_few_seconds(
    access: Access, clock: StandingClock
) -> None:
    for number in range(20):
        await fail_to_log_in(access, address=f"192.0.2.{number}")
    for number, wait_seconds in enumerate((1, 2, 4, 5, 5), 100):
        clock.advance(wait_seconds - 0.001)
        with pytest.raises(RateLimited):
            await log_in(access, address="192.0.2.200")
        clock.advance(0.001)
        await fail_to_log_in(access, address=f"192.0.2.{number}")
    clock.advance(5)
    await log_in(access, address="192.0.2.200")


async def test_failures_are_counted_by_address_whoever_they_are_about(access: Access) -> None:
    for number in range(50):
        await fail_to_log_in(access, email=f"nobody{number}@example.com")
    with pytest.raises(RateLimited):
        await log_in(access)
    await log_in(access, address="192.0.2.200")


async def test_a_right_password_is_no_failure_of_its_address(access: Access) -> None:
    for number in range(60):
        await access.register(email=f"user{number}@example.com", password=PASSWORD, role=Role.CUSTOMER)
        await log_in(access, f"user{number}@example.com")
    await fail_to_log_in(access, email="nobody@example.com")


async def test_all_addresses_of_an_ipv6_network_are_one(access: Access) -> None:
    for number in range(50):
        await fail_to_log_in(access, email=f"nobody{number}@example.com", address=f"2001:db8:1:2::{number:x}")
    with pytest.raises(RateLimited):
        await log_in(access, address="2001:db8:1:2:ffff:ffff:ffff:ffff")
    await log_in(access, address="2001:db8:1:3::1")


async def test_an_ipv4_address_that_is_mapped_into_ipv6_is_the_ipv4_address(access: Access) -> None:
    for number in range(50):
        await fail_to_log_in(access, email=f"nobody{number}@example.com", address="::ffff:192.0.2.1")
    with pytest.raises(RateLimited):
        await log_in(access, address="192.0.2.1")
    await log_in(access, address="::ffff:192.0.2.2")


async def test_failures_are_counted_by_account_however_its_address_is_spelled(access: Access) -> None:
    spellings = (
        "ada@b\u00fccher.example",
        "ada@xn--bcher-kva.example",
        "ada@bu\u0308cher.example",
        "ADA@B\u00dcCHER.example",
    )
    await access.register(email=spellings[1], password=PASSWORD, role=Role.CUSTOMER)
    for number in range(5):
        await fail_to_log_in(access, email=spellings[number % len(spellings)])
    for spelling in spellings:
        with pytest.raises(RateLimited):
            await log_in(access, spelling)


async def test_many_guesses_at_once_are_counted_one_after_the_other(access: Access) -> None:
    tries = [access.log_in(email=EMAIL, password=f"guess {number}", address=HERE) for number in range(20)]
    refusals = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(refusal) for refusal in refusals] == [InvalidCredentials] * 5 + [RateLimited] * 15


async def test_a_guess_that_cannot_be_hashed_is_no_failure(access: Access, passwords: PlainHasher) -> None:
    passwords.overloaded = True
    for _ in range(10):
        with pytest.raises(Overloaded):
            await log_in(access)
    passwords.overloaded = False
    await fail_to_log_in(access, 4)
    await log_in(access)


@pytest.mark.usefixtures("access")
async def test_right_passwords_at_once_are_no_burst_of_guesses(storage: Storage, clock: StandingClock) -> None:
    access = an_access(storage, clock, limits=AccessLimits(hashing_places=16))
    await asyncio.gather(*(log_in(access) for _ in range(30)))


async def test_every_process_sees_the_failures(access: Access, storage: Storage, clock: StandingClock) -> None:
    await fail_to_log_in(access, 5)
    with pytest.raises(RateLimited):
        await log_in(an_access(storage, clock))


async def test_the_limits_are_settings(storage: Storage, clock: StandingClock) -> None:
    access = an_access(storage, clock, limits=AccessLimits(free_tries=1, backoff_seconds_max=3, session_seconds=60))
    await access.register(email=EMAIL, password=PASSWORD, role=Role.CUSTOMER)
    signed_in = await log_in(access)
    await fail_to_log_in(access)
    with pytest.raises(RateLimited):
        await log_in(access)
    clock.advance(60)
    with pytest.raises(TokenExpired):
        await access.refresh(signed_in.refresh_token)
