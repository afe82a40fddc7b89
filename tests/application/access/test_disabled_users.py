"""A disabled user is kept out of every process, and learns why only by the right password."""

import asyncio

import pytest

from gateway import DisableUser, EnableUser, EndSessions
from gateway.application.access.access import Access
from gateway.application.access.user_look_ups import disabled_users, user_by_email
from gateway.application.api_keys import ApiKeys
from gateway.application.errors import InvalidCredentials, TokenRevoked
from gateway.application.ports.passwords import PasswordCheck
from gateway.application.ports.storage import Storage
from gateway.domain.errors import UserDisabled, UserNotFound
from gateway.domain.user import UserId
from support.access import EMAIL, OTHER_PASSWORD, PASSWORD, PlainHasher, an_access, log_in
from support.builders import StandingClock

REASON = "Their laptop was stolen"


async def disable(access: Access, user_id: UserId) -> None:
    await access.executor.execute(DisableUser(user_id=user_id, reason=REASON))


async def enable(access: Access, user_id: UserId) -> None:
    await access.executor.execute(EnableUser(user_id=user_id, reason=REASON))


async def test_the_right_password_is_told_that_the_user_is_disabled_and_a_wrong_one_is_not(access: Access) -> None:
    user = (await log_in(access)).user
    await disable(access, user.id)
    with pytest.raises(UserDisabled):
        await log_in(access)
    with pytest.raises(InvalidCredentials):
        await log_in(access, password="wrong password")


async def test_the_tokens_of_a_disabled_user_are_refused_in_every_process_within_two_seconds(
    access: Access, storage: Storage, clock: StandingClock
) -> None:
    elsewhere = an_access(storage, clock)
    signed_in = await log_in(access)
    for each in (access, elsewhere):
        await each.authenticate(signed_in.access_token)
        assert each.caller_at_once(signed_in.access_token) is not None
    await disable(access, signed_in.user.id)
    clock.advance(elsewhere.limits.revocations_seconds_max + 0.001)
    for each in (access, elsewhere):
        with pytest.raises(UserDisabled):
            await each.authenticate(signed_in.access_token)
        assert each.caller_at_once(signed_in.access_token) is None
        with pytest.raises(UserDisabled):
            await each.refresh(signed_in.refresh_token)


async def test_the_keys_of_a_disabled_user_are_refused_in_every_process_and_good_again_afterwards(
    access: Access, storage: Storage, clock: StandingClock
) -> None:
    user = (await log_in(access)).user
    key = (await ApiKeys(access).create(owner_id=user.id, name="Till", scopes=["payments:read"])).text
    elsewhere, later = an_access(storage, clock), an_access(storage, clock)
    for each in (access, elsewhere):
        assert (await each.authenticate(key)).user_id == user.id
        assert each.caller_at_once(key) is not None
    await disable(access, user.id)
    clock.advance(elsewhere.limits.revocations_seconds_max + 0.001)
    for each in (access, elsewhere, later):  # The last one has never seen the key.
        with pytest.raises(UserDisabled):
            await each.authenticate(key)
        assert each.caller_at_once(key) is None
    # After the list of disabled users has forgotten them, the key is read again, with its owner.
    clock.advance(10 * access.tokens.lifetime_seconds)
    for each in (access, elsewhere, later):
        with pytest.raises(UserDisabled):
            await each.authenticate(key)
    await enable(access, user.id)
    clock.advance(elsewhere.limits.revocations_seconds_max + 0.001)
    for each in (access, elsewhere, later):
        assert (await each.authenticate(key)).user_id == user.id


async def test_an_enabled_user_logs_in_again_and_tokens_from_before_stay_refused(
    access: Access, clock: StandingClock
) -> None:
    before = await log_in(access)
    await disable(access, before.user.id)
    await enable(access, before.user.id)
    clock.advance(access.limits.revocations_seconds_max + 0.001)
    with pytest.raises(TokenRevoked):
        await access.authenticate(before.access_token)
    with pytest.raises(TokenRevoked):
        await access.refresh(before.refresh_token)
    await access.authenticate((await log_in(access)).access_token)


async def test_a_session_that_a_disabled_user_has_ended_stays_ended(access: Access, clock: StandingClock) -> None:
    signed_in = await log_in(access)
    await access.executor.execute(EndSessions(user_id=signed_in.user.id, reason=REASON))
    clock.advance(access.limits.revocations_seconds_max + 0.001)
    with pytest.raises(TokenRevoked):
        await access.authenticate(signed_in.access_token)
    with pytest.raises(TokenRevoked):
        await access.refresh(signed_in.refresh_token)
    await access.authenticate((await log_in(access)).access_token)


async def test_a_login_that_waits_while_the_user_is_disabled_does_not_get_in(
    storage: Storage, clock: StandingClock, access: Access
) -> None:
    """The password is right, and checked before the user is disabled."""
    user = (await log_in(access)).user

    class DisablingHasher(PlainHasher):
        async def verify(self, password_hash: str | None, password: str) -> PasswordCheck:
            check = await super().verify(password_hash, password)
            await disable(access, user.id)
            return check

    late = an_access(storage, clock, passwords=DisablingHasher())
    with pytest.raises(UserDisabled):
        await log_in(late)


async def test_a_disabled_user_does_not_change_the_password(access: Access) -> None:
    signed_in = await log_in(access)
    caller = await access.authenticate(signed_in.access_token)
    await disable(access, signed_in.user.id)
    with pytest.raises(UserDisabled):
        await access.change_password(caller, current=PASSWORD, new=OTHER_PASSWORD)


async def test_a_user_is_disabled_once_however_often_it_is_asked_for(access: Access) -> None:
    user = (await log_in(access)).user
    first = await access.executor.execute(DisableUser(user_id=user.id, reason=REASON))
    again = await asyncio.gather(
        *(access.executor.execute(DisableUser(user_id=user.id, reason=REASON)) for _ in range(4))
    )
    assert again == [first] * 4
    assert (await access.user(user.id)).version == 2
    assert [each.id for each in await disabled_users(access.users)] == [user.id]
    assert await user_by_email(access.users, EMAIL) == first.user
    with pytest.raises(UserNotFound):
        await disable(access, UserId("usr_nobody"))
    with pytest.raises(UserNotFound):
        await user_by_email(access.users, "nobody@example.com")
