"""What one stranger can do to the users of a gateway: guess, hold up logins, follow a session."""

import asyncio

import pytest

from gateway.application.access.access import Access
from gateway.application.errors import InvalidCredentials, RateLimited, TokenRevoked
from gateway.application.ports.passwords import PasswordCheck
from gateway.application.ports.storage import Storage
from gateway.domain.user import Role
from support.access import EMAIL, HERE, OTHER_PASSWORD, PASSWORD, PlainHasher, an_access, log_in
from support.builders import StandingClock

MINUTES = 7
GUESSES_A_SECOND = 20


class HasherWithAGate(PlainHasher):
    """A hasher that checks no password before its gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.gate = asyncio.Event()

    async def verify(self, password_hash: str | None, password: str) -> PasswordCheck:
        self.waiting += 1
        await self.gate.wait()
        return await super().verify(password_hash, password)


async def test_the_owner_gets_in_at_the_first_try_while_others_guess_twenty_times_a_second(
    access: Access, clock: StandingClock
) -> None:
    await log_in(access)
    for second in range(MINUTES * 60):
        for number in range(GUESSES_A_SECOND):
            await guess(access, address=f"198.51.100.{number}")
            clock.advance(1 / GUESSES_A_SECOND)
        if second % 30 == 0:
            await log_in(access)


async def test_guesses_from_everywhere_are_few(access: Access, clock: StandingClock, passwords: PlainHasher) -> None:
    for second in range(MINUTES * 60):
        for number in range(GUESSES_A_SECOND):
            await guess(access, address=f"198.51.{second % 100}.{number}")
            clock.advance(1 / GUESSES_A_SECOND)
    assert 80 <= len(passwords.verified) <= 20 + MINUTES * 60 / 5 + 5


async def test_one_address_that_guesses_does_not_keep_the_owner_from_a_new_address(
    access: Access, clock: StandingClock
) -> None:
    refused = 0
    for second in range(MINUTES * 60):
        for _ in range(GUESSES_A_SECOND):
            await guess(access, address="198.51.100.1")
            clock.advance(1 / GUESSES_A_SECOND)
        if second % 30 == 0:
            try:
                await log_in(access, address=f"203.0.113.{second // 30}")
            except RateLimited:
                refused += 1
    assert refused == 0


async def test_guesses_from_the_address_of_the_owner_have_to_wait_like_all_others(access: Access) -> None:
    await log_in(access)
    for _ in range(5):
        await guess(access)
    with pytest.raises(RateLimited):
        await log_in(access)


async def test_guesses_at_the_password_of_a_signed_in_user_do_not_keep_them_from_changing_it(access: Access) -> None:
    signed_in = await log_in(access)
    for number in range(100):
        await guess(access, address=f"198.51.100.{number}")
    caller = await access.authenticate(signed_in.access_token)
    await access.change_password(caller, current=PASSWORD, new=OTHER_PASSWORD)


@pytest.mark.usefixtures("access")
async def test_of_a_burst_of_guesses_at_one_account_five_are_heard_by_all_processes_together(
    storage: Storage, clock: StandingClock
) -> None:
    hashers = [HasherWithAGate() for _ in range(4)]
    processes = [an_access(storage, clock, passwords=hasher) for hasher in hashers]
    burst = [asyncio.create_task(guess(each)) for each in processes for _ in range(20)]
    await _settled()
    for hasher in hashers:
        hasher.gate.set()
    heard = await asyncio.gather(*burst)
    assert sum(heard) == sum(len(hasher.verified) for hasher in hashers) == 5


async def test_of_a_burst_of_guesses_at_200_accounts_fifty_are_heard_by_all_processes_together(
    access: Access, storage: Storage, clock: StandingClock
) -> None:
    for number in range(10):
        await access.register(email=f"user{number}@example.com", password=PASSWORD, role=Role.CUSTOMER)
        await log_in(access, f"user{number}@example.com")
    processes = [an_access(storage, clock) for _ in range(4)]
    burst = [guess(processes[number % 4], f"account{number}@example.com") for number in range(200)]
    legitimate = [log_in(processes[number % 4], f"user{number}@example.com") for number in range(10)]
    heard, signed_in = await asyncio.gather(asyncio.gather(*burst), asyncio.gather(*legitimate))
    assert sum(heard) == 50
    assert len(signed_in) == 10
    for _ in range(10):
        clock.advance(6)
        heard = await asyncio.gather(*(guess(processes[n % 4], f"another{n}@example.com") for n in range(200)))
        assert sum(heard) <= 4
        await log_in(processes[0], "user0@example.com")


async def test_a_login_that_waits_while_another_process_changes_the_password_is_refused(
    access: Access, storage: Storage, clock: StandingClock
) -> None:
    caller = await access.authenticate((await log_in(access)).access_token)
    slow = HasherWithAGate()
    waiting = [
        asyncio.create_task(log_in(an_access(storage, clock, passwords=slow), address=f"192.0.2.{number}"))
        for number in range(4)
    ]
    await _settled()
    assert slow.waiting == 4
    await access.change_password(caller, current=PASSWORD, new=OTHER_PASSWORD)
    slow.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [InvalidCredentials] * 4
    await log_in(access, password=OTHER_PASSWORD)


async def test_two_holders_of_a_refresh_token_who_follow_each_other_within_the_grace_time_are_noticed(
    access: Access, clock: StandingClock
) -> None:
    stolen = (await log_in(access)).refresh_token
    owner = (await access.refresh(stolen)).refresh_token
    clock.advance(1)
    thief = (await access.refresh(stolen)).refresh_token
    clock.advance(60)
    owner = (await access.refresh(owner)).refresh_token
    clock.advance(1)
    with pytest.raises(TokenRevoked):
        await access.refresh(thief)
    with pytest.raises(TokenRevoked):
        await access.refresh(owner)


async def test_a_client_whose_responses_are_lost_now_and_then_stays_signed_in(
    access: Access, clock: StandingClock
) -> None:
    token = (await log_in(access)).refresh_token
    for _ in range(5):
        lost = await access.refresh(token)
        clock.advance(1)
        again = await access.refresh(token)
        assert again.refresh_token == lost.refresh_token
        token = (await access.refresh(again.refresh_token)).refresh_token
        clock.advance(900)


async def guess(access: Access, email: str = EMAIL, address: str = HERE) -> bool:
    """Try a wrong password. Returns whether it was checked."""
    try:
        await log_in(access, email, "wrong password", address)
    except InvalidCredentials:
        return True
    except RateLimited:
        return False
    raise AssertionError("The wrong password was right.")


async def _settled() -> None:
    """Wait until every task waits for something that does not happen by itself."""
    for _ in range(200):
        await asyncio.sleep(0)
