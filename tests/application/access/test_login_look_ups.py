"""Logins that arrive together share a read; its errors, and who goes away, concern nobody else."""

import asyncio
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime

import pytest
from typing_extensions import override

from gateway.adapters.memory import memory_storage
from gateway.application.access.login_look_ups import Login, LoginLookUps
from gateway.application.access.shared_reads import READ_MAX, WAITING_MAX
from gateway.application.errors import Overloaded
from gateway.application.ports.unit_of_work import Changes, StorageUnavailable
from gateway.application.ports.users import Credentials, UserAtLogin, Users
from gateway.contracts.records import a_user, commit, user_id
from gateway.domain.audit import AuditRecord
from gateway.domain.user import UserId

HERE = "192.0.2.1"


class UsersWithAGate(Users):
    """Users whose look-ups wait for a gate, and may fail."""

    def __init__(self, users: Users) -> None:
        self._users = users
        self.asked: list[int] = []
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    @override
    async def at_login(self, asked: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], UserAtLogin]:
        self.asked.append(len(asked))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return await self._users.at_login(asked)

    @override
    async def by_id(self, user_id: UserId) -> Credentials | None:
        raise NotImplementedError

    @override
    async def disabled_since(self, since: datetime) -> AbstractSet[UserId]:
        raise NotImplementedError

    @override
    async def replace_password_hash(
        self,
        user_id: UserId,
        *,
        old: str,
        new: str,
        sessions_end_at: datetime | None = None,
        audit: AuditRecord | None = None,
    ) -> bool:
        raise NotImplementedError

    @override
    async def replace_email(
        self,
        user_id: UserId,
        *,
        old: str,
        new: str,
        sessions_end_at: datetime | None = None,
        audit: AuditRecord | None = None,
    ) -> bool:
        raise NotImplementedError


@pytest.fixture
async def users() -> UsersWithAGate:
    storage = memory_storage()
    await commit(storage, Changes(users_new=[a_user(1), a_user(2, email="b\u00fccher@example.com")]))
    return UsersWithAGate(storage.users)


@pytest.fixture
def look_ups(users: UsersWithAGate) -> LoginLookUps:
    return LoginLookUps(users, memory_storage().login_failures)


def look_up(look_ups: LoginLookUps, *spellings: str) -> asyncio.Task[Login]:
    return asyncio.create_task(look_ups.look_up(spellings, HERE))


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_logins_that_arrive_during_a_read_share_the_next_one(
    look_ups: LoginLookUps, users: UsersWithAGate
) -> None:
    first = look_up(look_ups, "user1@example.com")
    await settled()
    others = [look_up(look_ups, f"nobody{number}@example.com") for number in range(READ_MAX + 1)]
    await settled()
    users.gate.set()
    found = (await first).found
    assert found is not None
    assert found.user.id == user_id(1)
    assert [login.found for login in await asyncio.gather(*others)] == [None] * (READ_MAX + 1)
    assert users.asked == [1, READ_MAX, 1]


async def test_the_first_spelling_that_a_user_has_counts_or_else_the_last_one(
    look_ups: LoginLookUps, users: UsersWithAGate
) -> None:
    users.gate.set()
    spellings = [
        ("bu\u0308cher@example.com", "b\u00fccher@example.com"),
        ("user1@example.com", "b\u00fccher@example.com"),
        ("nobody@example.com", "none@example.com"),
    ]
    logins = [await look_up(look_ups, *each) for each in spellings]
    assert [login.email for login in logins] == ["b\u00fccher@example.com", "user1@example.com", "none@example.com"]
    assert [login.found and login.found.user.id for login in logins] == [user_id(2), user_id(1), None]


async def test_more_than_may_wait_are_refused_and_nothing_is_read_for_them(
    look_ups: LoginLookUps, users: UsersWithAGate
) -> None:
    reading = look_up(look_ups, "user1@example.com")
    await settled()
    waiting = [look_up(look_ups, "user1@example.com") for _ in range(WAITING_MAX)]
    await settled()
    with pytest.raises(Overloaded):
        await look_up(look_ups, "user1@example.com")
    users.gate.set()
    assert all(login.found for login in await asyncio.gather(reading, *waiting))


async def test_who_goes_away_is_not_looked_up_and_keeps_nobody_waiting(
    look_ups: LoginLookUps, users: UsersWithAGate
) -> None:
    reading = look_up(look_ups, "user1@example.com")
    await settled()
    waiting = [look_up(look_ups, f"user{number}@example.com") for number in range(1, 4)]
    await settled()
    reading.cancel()
    waiting[0].cancel()
    await settled()
    users.gate.set()
    results = await asyncio.gather(reading, *waiting, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 2 + [Login] * 2
    assert users.asked == [1, 2]


async def test_a_read_that_hangs_ends_when_all_who_waited_have_gone_away(look_ups: LoginLookUps) -> None:
    tasks = asyncio.all_tasks()
    await hang_and_go_away(look_ups)
    await settled()
    assert asyncio.all_tasks() == tasks


async def test_who_comes_before_a_read_that_hung_has_ended_begins_another_one(
    look_ups: LoginLookUps, users: UsersWithAGate
) -> None:
    await hang_and_go_away(look_ups)
    other = look_up(look_ups, "user1@example.com")
    users.gate.set()
    async with asyncio.timeout(10):
        assert (await other).found is not None


async def hang_and_go_away(look_ups: LoginLookUps) -> None:
    """The next task that is made runs when the last client has gone away, and before the read has ended."""
    hanging = [look_up(look_ups, "user1@example.com")]
    await settled()
    hanging.append(look_up(look_ups, "user1@example.com"))
    await settled()
    for each in hanging:
        each.cancel()


@pytest.mark.parametrize("error", [StorageUnavailable("away"), ZeroDivisionError()], ids=["outage", "bug"])
async def test_an_error_reaches_all_who_wait_for_the_read_and_the_next_read_begins(
    look_ups: LoginLookUps, users: UsersWithAGate, error: Exception
) -> None:
    users.error = error
    failing = [look_up(look_ups, f"user{number}@example.com") for number in range(3)]
    await settled()
    users.gate.set()
    assert await asyncio.gather(*failing, return_exceptions=True) == [error] * 3
    users.error = None
    assert (await look_up(look_ups, "user1@example.com")).found is not None
