"""Access tokens: how long they are good, and how soon every process knows that a session has ended."""

import asyncio
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from application.gate import settle
from gateway.adapters.memory import MemoryDatabase, memory_storage
from gateway.adapters.memory.sessions import MemorySessions
from gateway.application.access import authentication
from gateway.application.access.access import Access
from gateway.application.access.caller import Caller
from gateway.application.access.limits import AccessLimits
from gateway.application.errors import (
    TokenExpired,
    TokenInvalid,
    TokenRevoked,
)
from gateway.application.ports.sessions import SessionId
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.domain.user import Role
from support.access import EMAIL, PASSWORD, an_access, log_in
from support.builders import StandingClock


class SilentSessions(MemorySessions):
    """Sessions whose list of revocations does not come until it may."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.are_silent = False
        self.reads = 0
        self.go_on = asyncio.Event()

    async def revoked_since(self, since: datetime) -> AbstractSet[SessionId]:
        if self.are_silent:
            self.reads += 1
            await self.go_on.wait()
        return await super().revoked_since(since)


class HeldSessions(MemorySessions):
    """Sessions whose list of revocations is found at once, and arrives when it is let through."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.held: list[asyncio.Event] | None = None

    async def revoked_since(self, since: datetime) -> AbstractSet[SessionId]:
        found = await super().revoked_since(since)
        if self.held is not None:
            self.held.append(asyncio.Event())
            await self.held[-1].wait()
        return found


class SessionsThatGoAway(MemorySessions):
    """Counts how often it is asked who has been revoked, and answers unless it is away."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.reads = 0
        self.away = False

    async def revoked_since(self, since: datetime) -> AbstractSet[SessionId]:
        self.reads += 1
        if self.away:
            raise StorageUnavailable
        return await super().revoked_since(since)


async def test_an_access_token_expires(access: Access, clock: StandingClock) -> None:
    signed_in = await log_in(access)
    clock.advance(signed_in.expires_in_seconds - 1)
    await access.authenticate(signed_in.access_token)
    clock.advance(1)
    with pytest.raises(TokenExpired):
        await access.authenticate(signed_in.access_token)


async def test_a_caller_is_known_at_once_only_while_the_token_is_accepted(access: Access, clock: StandingClock) -> None:
    signed_in, other = await log_in(access), await log_in(access)
    assert access.caller_at_once(signed_in.access_token) is None  # Nobody has shown it yet.
    caller = await access.authenticate(signed_in.access_token)
    assert access.caller_at_once(signed_in.access_token) == caller
    assert access.caller_at_once(signed_in.access_token + "x") is None
    clock.advance(access.limits.revocations_seconds_max + 1)
    assert access.caller_at_once(signed_in.access_token) is None  # Revoked sessions must be read again first.
    await access.authenticate(other.access_token)
    assert access.caller_at_once(signed_in.access_token) == caller
    await access.log_out(caller, signed_in.refresh_token)
    await access.authenticate(other.access_token)
    assert access.caller_at_once(signed_in.access_token) is None
    assert access.caller_at_once(other.access_token) is not None
    clock.advance(other.expires_in_seconds)
    with pytest.raises(TokenExpired):
        await access.authenticate(other.access_token)
    assert access.caller_at_once(other.access_token) is None


async def test_few_tokens_are_known_with_their_callers(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "KNOWN_MAX", 2)
    tokens = [(await log_in(access)).access_token for _ in range(3)]
    for token in tokens:
        await access.authenticate(token)
    assert [access.caller_at_once(token) is not None for token in tokens] == [False, True, True]


async def test_a_token_of_an_unknown_role_is_not_valid(access: Access, clock: StandingClock) -> None:
    token = access.tokens.issue(subject="usr_1", role="janitor", token_id="ses_1.1", now=clock())
    with pytest.raises(TokenInvalid):
        await access.authenticate(token)


async def test_logging_out_ends_the_session_at_once(access: Access) -> None:
    signed_in, other = await log_in(access), await log_in(access)
    caller = await access.authenticate(signed_in.access_token)
    await access.log_out(caller, signed_in.refresh_token)
    with pytest.raises(TokenRevoked):
        await access.authenticate(signed_in.access_token)
    with pytest.raises(TokenRevoked):
        await access.refresh(signed_in.refresh_token)
    await access.authenticate(other.access_token)


async def test_nobody_logs_another_user_out(access: Access) -> None:
    await access.register(email="eve@example.com", password=PASSWORD, role=Role.CUSTOMER)
    ada, eve = await log_in(access), await log_in(access, "eve@example.com")
    await access.log_out(await access.authenticate(eve.access_token), ada.refresh_token)
    await access.authenticate(ada.access_token)
    await access.refresh(ada.refresh_token)
    with pytest.raises(TokenRevoked):
        await access.authenticate(eve.access_token)


async def test_every_process_notices_within_two_seconds(access: Access, storage: Storage, clock: StandingClock) -> None:
    elsewhere = an_access(storage, clock)
    signed_in = await log_in(access)
    await elsewhere.authenticate(signed_in.access_token)
    await access.log_out(await access.authenticate(signed_in.access_token), signed_in.refresh_token)
    clock.advance(2.001)
    with pytest.raises(TokenRevoked):
        await elsewhere.authenticate(signed_in.access_token)


async def test_a_revoked_token_stays_revoked_for_as_long_as_it_lives(access: Access, clock: StandingClock) -> None:
    signed_in = await log_in(access)
    await access.log_out(await access.authenticate(signed_in.access_token), signed_in.refresh_token)
    for _ in range(9):
        with pytest.raises(TokenRevoked):
            await access.authenticate(signed_in.access_token)
        clock.advance(99.9)
    assert signed_in.expires_in_seconds > 9 * 99.9


def session_of(caller: Caller) -> SessionId:
    assert caller.session_id is not None
    return caller.session_id


async def test_a_session_that_ended_by_a_slow_clock_is_over_everywhere(storage: Storage, clock: StandingClock) -> None:
    # A token of 10 s was issued by a clock that is 25 s ahead of the one that ended its session.
    access = an_access(storage, clock, lifetime_seconds=10)
    await access.register(email=EMAIL, password=PASSWORD, role=Role.CUSTOMER)
    signed_in = await log_in(access)
    caller = await access.authenticate(signed_in.access_token)
    await storage.sessions.revoke(session_of(caller), now=clock() - timedelta(seconds=25))
    clock.advance(3)
    with pytest.raises(TokenRevoked):
        await access.authenticate(signed_in.access_token)


async def test_after_the_clock_was_set_back_revocations_are_read_anew(
    access: Access, storage: Storage, clock: StandingClock
) -> None:
    signed_in = await log_in(access)
    caller = await access.authenticate(signed_in.access_token)
    clock.advance(-3)
    await storage.sessions.revoke(session_of(caller), now=clock())
    with pytest.raises(TokenRevoked):
        await access.authenticate(signed_in.access_token)


async def test_no_request_waits_for_a_list_of_revocations_that_does_not_come(
    clock: StandingClock,
) -> None:
    database = MemoryDatabase()
    storage = memory_storage(database)
    sessions = SilentSessions(database)
    limits = AccessLimits(revocations_wait_seconds_max=0.05)
    access = replace(an_access(storage, clock), sessions=sessions, limits=limits)
    await access.register(email=EMAIL, password=PASSWORD, role=Role.CUSTOMER, name="Ada")
    signed_in = await log_in(access)
    caller = await access.authenticate(signed_in.access_token)
    sessions.are_silent = True
    async with asyncio.timeout(5):
        for _ in range(3):
            clock.advance(3)
            assert caller == await access.authenticate(signed_in.access_token)
    assert sessions.reads == 1  # It is read to its end, and by one reader.
    await sessions.revoke(session_of(caller), now=clock())
    sessions.go_on.set()
    await asyncio.sleep(0)
    clock.advance(3)
    with pytest.raises(TokenRevoked):
        await access.authenticate(signed_in.access_token)


async def test_after_a_logout_all_requests_wait_for_the_list_that_is_read_then(clock: StandingClock) -> None:
    """Also those that come while it is read; and a list that was read before comes too late."""
    database = MemoryDatabase()
    sessions = HeldSessions(database)
    limits = AccessLimits(revocations_wait_seconds_max=60)
    access = replace(an_access(memory_storage(database), clock), sessions=sessions, limits=limits)
    await access.register(email=EMAIL, password=PASSWORD, role=Role.CUSTOMER)
    signed_in = await log_in(access)
    caller = await access.authenticate(signed_in.access_token)
    clock.advance(3)
    sessions.held = []

    def request() -> "asyncio.Task[Caller]":
        return asyncio.create_task(access.authenticate(signed_in.access_token))

    early = request()
    await settle()
    await access.log_out(caller, signed_in.refresh_token)
    later = [request()]
    await settle()
    later += [request() for _ in range(4)]
    await settle()
    [before, after] = sessions.held
    after.set()
    await settle()
    before.set()
    answers = await asyncio.gather(*later, return_exceptions=True)
    assert [type(answer) for answer in answers] == [TokenRevoked] * 5
    await asyncio.gather(early, return_exceptions=True)
    with pytest.raises(TokenRevoked):
        await access.authenticate(signed_in.access_token)


async def test_authenticating_touches_the_storage_at_most_every_two_seconds(
    clock: StandingClock,
) -> None:
    database = MemoryDatabase()
    storage = memory_storage(database)
    sessions = SessionsThatGoAway(database)
    access = an_access(replace(storage, sessions=sessions), clock)
    await access.register(email=EMAIL, password=PASSWORD, role=Role.CUSTOMER)
    signed_in = await log_in(access)
    for _ in range(100):
        await access.authenticate(signed_in.access_token)
    assert sessions.reads == 1
    clock.advance(2.001)
    await access.authenticate(signed_in.access_token)
    assert sessions.reads == 2


async def test_tokens_are_good_while_the_storage_is_away(clock: StandingClock) -> None:
    database = MemoryDatabase()
    storage = memory_storage(database)
    sessions = SessionsThatGoAway(database)
    access = an_access(replace(storage, sessions=sessions), clock)
    await access.register(email=EMAIL, password=PASSWORD, role=Role.CUSTOMER)
    signed_in = await log_in(access)
    sessions.away = True
    clock.advance(60)
    await access.authenticate(signed_in.access_token)
    assert sessions.reads == 1
