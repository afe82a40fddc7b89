"""People who have lost the password or the address, let in again by operators: on every storage."""

from typing import Any

import pytest

from gateway import (
    Actor,
    ActorKind,
    AuditAction,
    AuditFilter,
    CreateCustomer,
    InvalidInput,
    Origin,
    Recovery,
    Role,
    UserId,
)
from gateway.application.access.access import Access
from gateway.application.access.passwords import check_new_password, random_password
from gateway.application.access.signed_in import SignedIn
from gateway.application.ports.storage import Storage
from gateway.contracts.records import USD
from gateway.refusals import EmailTaken, InvalidCredentials, Overloaded, TokenRevoked, UserNotFound
from support.access import EMAIL, HERE, PASSWORD, an_access
from support.builders import StandingClock

REASON = "A forgotten password"
CLI = Origin(actor=Actor(kind=ActorKind.CLI, id="cli"), address="ops@host")


@pytest.fixture
def access(storage: Storage) -> Access:
    return an_access(storage, StandingClock())


@pytest.fixture
def recovery(storage: Storage, access: Access) -> Recovery:
    return Recovery(access, storage.customers)


async def registered(access: Access, email: str = EMAIL) -> UserId:
    return (await access.register(email=email, password=PASSWORD, role=Role.MERCHANT)).user.id


async def logged_in(access: Access, password: str = PASSWORD, email: str = EMAIL) -> SignedIn:
    return await access.log_in(email=email, password=password, address=HERE)


async def told(storage: Storage, action: AuditAction) -> list[tuple[Any, ...]]:
    found = await storage.audit_log.records(AuditFilter(action=action), before=None, limit=10)
    return [
        (each.origin, each.note.object_id, each.note.owner_id, each.note.reason, each.note.before, each.note.after)
        for each in found
    ]


async def must_have_ended(access: Access, signed_in: SignedIn) -> None:
    with pytest.raises(TokenRevoked):
        await access.authenticate(signed_in.access_token)
    with pytest.raises(TokenRevoked):
        await access.refresh(signed_in.refresh_token)


async def test_a_password_is_reset_and_all_sessions_end(storage: Storage, access: Access, recovery: Recovery) -> None:
    user_id, other_id = await registered(access), await registered(access, "bob@example.com")
    before, others = await logged_in(access), await logged_in(access, email="bob@example.com")
    password = await recovery.reset_password(user_id, reason=REASON, origin=CLI)
    await must_have_ended(access, before)
    with pytest.raises(InvalidCredentials):
        await logged_in(access)
    assert (await logged_in(access, password)).user.id == user_id
    assert (await access.authenticate(others.access_token)).user_id == other_id
    again = await recovery.reset_password(user_id, reason=REASON)
    assert again != password
    assert (await told(storage, AuditAction.PASSWORD_RESET))[1:] == [(CLI, user_id, user_id, REASON, {}, {})]
    assert password not in repr(await storage.audit_log.records(AuditFilter(), before=None, limit=10))


async def test_another_address_is_logged_in_with_and_all_sessions_end(
    storage: Storage, access: Access, recovery: Recovery
) -> None:
    user_id = await registered(access)
    before = await logged_in(access)
    changed = await recovery.change_email(user_id, email=" Grace@Example.com", reason="Ada has left", origin=CLI)
    assert (changed.id, changed.email) == (user_id, "grace@example.com")
    await must_have_ended(access, before)
    with pytest.raises(InvalidCredentials):
        await logged_in(access)
    now = await logged_in(access, email="grace@example.com")
    assert now.user == changed
    # The same address is no change: nothing is recorded, and sessions go on.
    assert await recovery.change_email(user_id, email="GRACE@example.com", reason="Again") == changed
    await access.authenticate(now.access_token)
    assert await told(storage, AuditAction.EMAIL_CHANGED) == [(CLI, user_id, user_id, "Ada has left", {}, {})]
    assert (await registered(access)) != user_id


async def test_an_address_is_one_that_could_register(storage: Storage, access: Access, recovery: Recovery) -> None:
    user_id, _ = await registered(access), await registered(access, "bücher@example.com")
    for taken in ("bücher@example.com", "B\u00dcCHER@Example.com"):
        with pytest.raises(EmailTaken):
            await recovery.change_email(user_id, email=taken, reason=REASON)
    for wrong in ("", "ada", "ada@", "x" * 400 + "@example.com", "a\u200bda@example.com"):
        with pytest.raises(InvalidInput) as refused:
            await recovery.change_email(user_id, email=wrong, reason=REASON)
        assert [each.field for each in refused.value.errors] == ["email"]
    assert (await logged_in(access)).user.id == user_id
    assert await told(storage, AuditAction.EMAIL_CHANGED) == []


async def test_who_has_no_password_is_told_from_who_does_not_exist(access: Access, recovery: Recovery) -> None:
    merchant = await registered(access)
    customer = await access.executor.execute(CreateCustomer(merchant_id=merchant, currency=USD, email="c@example.com"))
    for user_id, said in ((customer.id, "whom a merchant manages"), (UserId("usr_x"), "There is no such user.")):
        with pytest.raises(UserNotFound, match=said):
            await recovery.reset_password(user_id, reason=REASON)
        with pytest.raises(UserNotFound, match=said):
            await recovery.change_email(user_id, email="d@example.com", reason=REASON)


async def test_a_reason_is_needed(access: Access, recovery: Recovery) -> None:
    user_id = await registered(access)
    for reason in ("", "x" * 501, "4111 1111 1111 1111"):
        with pytest.raises(InvalidInput):
            await recovery.reset_password(user_id, reason=reason)
        with pytest.raises(InvalidInput):
            await recovery.change_email(user_id, email="d@example.com", reason=reason)
    await logged_in(access)


async def test_a_user_whom_others_change_all_the_time_stays(
    access: Access, recovery: Recovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id, tries = await registered(access), list[str]()

    async def somebody_was_faster(*_: object, new: str, **__: object) -> bool:
        tries.append(new)
        return False

    monkeypatch.setattr(access.users, "replace_password_hash", somebody_was_faster)
    monkeypatch.setattr(access.users, "replace_email", somebody_was_faster)
    with pytest.raises(Overloaded):
        await recovery.reset_password(user_id, reason=REASON)
    with pytest.raises(Overloaded):
        await recovery.change_email(user_id, email="d@example.com", reason=REASON)
    assert len(tries) == 6


def test_random_passwords_may_be_chosen_and_differ() -> None:
    made = {random_password() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        check_new_password(password)
        assert [len(group) for group in password.split("-")] == [5, 5, 5, 5]
