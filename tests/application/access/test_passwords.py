"""Logging in with a password, and changing it."""

import asyncio
from dataclasses import replace

import pytest

from gateway.application.access.access import Access
from gateway.application.errors import (
    InvalidCredentials,
    InvalidInput,
    Overloaded,
    RateLimited,
    TokenRevoked,
)
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes
from gateway.contracts.records import a_user, by_email, commit, user_id
from gateway.domain.errors import UserNotFound
from gateway.domain.user import Role
from support.access import EMAIL, OTHER_PASSWORD, PASSWORD, PlainHasher, log_in
from support.builders import StandingClock


async def test_an_unknown_address_is_refused_in_the_same_words_and_at_the_same_cost(
    access: Access, passwords: PlainHasher
) -> None:
    refusals: list[InvalidCredentials] = []
    for email in (EMAIL, "nobody@example.com"):
        with pytest.raises(InvalidCredentials) as refused:
            await log_in(access, email, "wrong password")
        refusals.append(refused.value)
    assert (refusals[0].detail, refusals[0].facts) == (refusals[1].detail, refusals[1].facts)
    assert passwords.verified == [f"1:{PASSWORD}", None], "a password was checked for one of them only"


async def test_a_password_that_is_too_long_is_not_hashed(access: Access, passwords: PlainHasher) -> None:
    with pytest.raises(InvalidCredentials):
        await log_in(access, EMAIL, "x" * 1024)
    assert passwords.verified == [None]
    with pytest.raises(InvalidInput):
        await log_in(access, EMAIL, "x" * 1025)
    assert passwords.verified == [None]


async def test_too_many_logins_at_once_are_refused(access: Access, passwords: PlainHasher) -> None:
    passwords.overloaded = True
    with pytest.raises(Overloaded):
        await log_in(access)
    with pytest.raises(Overloaded):
        await access.register(email="new@example.com", password=PASSWORD, role=Role.CUSTOMER)
    passwords.overloaded = False
    await log_in(access)


async def test_an_outdated_hash_is_replaced_at_the_next_login(
    access: Access, storage: Storage, passwords: PlainHasher
) -> None:
    passwords.generation = 2
    await log_in(access)
    found = await by_email(storage, EMAIL)
    assert found is not None
    assert found.password_hash == f"2:{PASSWORD}"
    await log_in(access)


async def test_a_password_is_the_same_however_a_keyboard_composes_it(access: Access, passwords: PlainHasher) -> None:
    composed, decomposed = "correct h\u00f4rse", "correct ho\u0302rse"
    registered = await access.register(email="grace@example.com", password=decomposed, role=Role.CUSTOMER)
    for password in (composed, decomposed):
        assert (await log_in(access, "grace@example.com", password)).user == registered.user
    caller = await access.authenticate((await log_in(access, "grace@example.com", composed)).access_token)
    await access.change_password(caller, current=decomposed, new=PASSWORD)
    assert passwords.verified[-1] == f"1:{composed}"


async def test_a_password_that_was_hashed_as_it_was_typed_is_good_and_hashed_anew(
    access: Access, storage: Storage
) -> None:
    typed = "correct ho\u0302rse"
    await commit(storage, Changes(users_new=[a_user(7, password_hash=f"1:{typed}")]))
    assert (await log_in(access, "user7@example.com", typed)).user.id == user_id(7)
    found = await storage.users.by_id(user_id(7))
    assert found is not None
    assert found.password_hash == "1:correct h\u00f4rse"


@pytest.mark.parametrize("kept", ["a\u200bda@example.com", "jose\u0301@example.com", "x@y.com,"], ids=ascii)
async def test_who_has_an_address_of_before_logs_in_with_exactly_that(
    access: Access, storage: Storage, kept: str
) -> None:
    await commit(storage, Changes(users_new=[a_user(7, email=kept, password_hash=f"1:{PASSWORD}")]))
    assert (await log_in(access, kept)).user.id == user_id(7)
    with pytest.raises(InvalidCredentials):
        await log_in(access, "jos\u00e9@example.com")
    await access.register(email="jos\u00e9@example.com", password=OTHER_PASSWORD, role=Role.CUSTOMER)
    assert (await log_in(access, "jos\u00e9@example.com", OTHER_PASSWORD)).user.id != user_id(7)
    assert (await log_in(access, kept)).user.id == user_id(7)


async def test_changing_the_password_ends_every_session(access: Access) -> None:
    first, second = await log_in(access), await log_in(access)
    await access.change_password(await access.authenticate(first.access_token), current=PASSWORD, new=OTHER_PASSWORD)
    for signed_in in (first, second):
        with pytest.raises(TokenRevoked):
            await access.authenticate(signed_in.access_token)
        with pytest.raises(TokenRevoked):
            await access.refresh(signed_in.refresh_token)
    with pytest.raises(InvalidCredentials):
        await log_in(access)
    await access.authenticate((await log_in(access, password=OTHER_PASSWORD)).access_token)


async def test_the_password_is_changed_only_by_who_knows_it(access: Access, clock: StandingClock) -> None:
    signed_in = await log_in(access)
    caller = await access.authenticate(signed_in.access_token)
    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            await access.change_password(caller, current="wrong password", new=OTHER_PASSWORD)
    with pytest.raises(RateLimited):
        await access.change_password(caller, current=PASSWORD, new=OTHER_PASSWORD)
    clock.advance(1)
    await access.authenticate(signed_in.access_token)
    await access.change_password(caller, current=PASSWORD, new=OTHER_PASSWORD)


async def test_of_two_who_change_the_password_at_once_one_wins(access: Access) -> None:
    caller = await access.authenticate((await log_in(access)).access_token)
    new = [f"{OTHER_PASSWORD} {n}" for n in range(2)]
    outcomes = await asyncio.gather(
        *(access.change_password(caller, current=PASSWORD, new=each) for each in new), return_exceptions=True
    )
    [winner] = [n for n, outcome in enumerate(outcomes) if outcome is None]
    assert isinstance(outcomes[1 - winner], InvalidCredentials)
    await log_in(access, password=new[winner])


async def test_a_user_who_does_not_exist_is_not_found(access: Access) -> None:
    caller = await access.authenticate((await log_in(access)).access_token)
    with pytest.raises(UserNotFound):
        await access.user(user_id(99))
    with pytest.raises(UserNotFound):
        await access.change_password(replace(caller, user_id=user_id(99)), current=PASSWORD, new=OTHER_PASSWORD)


async def test_secrets_are_not_shown_by_accident(access: Access) -> None:
    signed_in = await log_in(access)
    assert signed_in.access_token not in repr(signed_in)
    assert signed_in.refresh_token not in repr(signed_in)
