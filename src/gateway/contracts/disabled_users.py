"""What every storage promises about users who are disabled, and whose sessions are ended."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.application.ports.batch_records import EndedSessions
from gateway.application.ports.sessions import TokenStatus
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, Wanted
from gateway.contracts.records import EUR, NOW, a_user, account_id, an_account, commit, load, user_id
from gateway.contracts.sessions import begin, rotate, session_id, start
from gateway.contracts.unit_of_work.support import TIMEOUT_SECONDS, run_again
from gateway.domain.account import AccountStatus
from gateway.domain.user import User

LATER = NOW + timedelta(seconds=1)
SECOND = timedelta(seconds=1)


class DisabledUsersContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    async def test_users_are_loaded_with_all_accounts_of_theirs(self, storage: Storage) -> None:
        """Those of nobody else, however many there are; users who do not exist are left out."""
        accounts = [an_account(1), an_account(2, owner_id=user_id(1), currency=EUR)]
        await commit(storage, Changes(users_new=[a_user(1), a_user(2)], accounts_new=[*accounts, an_account(3)]))
        wanted = Wanted(users=[user_id(1), user_id(9)], account_owners=[user_id(1), user_id(9)])
        async with storage.unit_of_work() as work:
            found = await work.load(wanted)
        assert [*found.users] == [a_user(1).user]
        assert {each.id: each for each in found.accounts} == {each.id: each for each in accounts}

    async def test_a_user_is_disabled_and_enabled(self, storage: Storage) -> None:
        """With the time, to the microsecond; nothing else of the user changes, and nothing of others."""
        at = NOW + timedelta(microseconds=123_457)
        await commit(storage, Changes(users_new=[a_user(1), a_user(2)]))
        await disable(storage, 1, at)
        found = await storage.users.by_id(user_id(1))
        assert found is not None
        assert (found.user, found.password_hash) == (a_user(1).user.disabled(at), a_user(1).password_hash)
        other = await storage.users.by_id(user_id(2))
        assert other is not None
        assert other.user == a_user(2).user
        await change(storage, found.user.enabled())
        found = await storage.users.by_id(user_id(1))
        assert found is not None
        assert (found.user.disabled_at, found.user.version) == (None, 3)

    async def test_who_was_disabled_since_a_time_is_listed(self, storage: Storage) -> None:
        """From this time on, and not those who were enabled since."""
        await commit(storage, Changes(users_new=[a_user(n) for n in range(1, 5)]))
        for number in (1, 2, 3):
            await disable(storage, number, NOW + number * SECOND)
        assert await storage.users.disabled_since(NOW) == {user_id(1), user_id(2), user_id(3)}
        assert await storage.users.disabled_since(NOW + 2 * SECOND) == {user_id(2), user_id(3)}
        await change(storage, a_user(2).user.disabled(NOW + 2 * SECOND).enabled())
        assert await storage.users.disabled_since(NOW) == {user_id(1), user_id(3)}

    async def test_all_sessions_of_a_user_end_with_the_commit(self, storage: Storage) -> None:
        """Those of others do not, and those that had ended before keep their time."""
        await begin(storage, 1)
        await begin(storage, 2, user=1)
        await begin(storage, 3)
        await storage.sessions.revoke(session_id(2), now=NOW)
        await change(storage, ended=1, at=LATER)
        statuses = [(await rotate(storage, str(number), f"next-{number}")).status for number in (1, 2, 3)]
        assert statuses == [TokenStatus.REVOKED, TokenStatus.REVOKED, TokenStatus.ROTATED]
        assert await storage.sessions.revoked_since(NOW) == {session_id(1), session_id(2)}
        assert await storage.sessions.revoked_since(LATER) == {session_id(1)}

    async def test_without_a_commit_no_session_ends(self, storage: Storage) -> None:
        """A unit of work that loads a user and leaves has done nothing."""
        await begin(storage, 1)
        await load(storage, Wanted(users=[user_id(1)]))
        assert (await rotate(storage, "1", "2")).status is TokenStatus.ROTATED

    async def test_no_session_of_a_disabled_user_begins(self, storage: Storage) -> None:
        """With the right hash of the password, too. After the user was enabled, it does."""
        await commit(storage, Changes(users_new=[a_user(1)]))
        await disable(storage, 1, NOW)
        assert not await start(storage, 1)
        await change(storage, a_user(1).user.disabled(NOW).enabled())
        assert await start(storage, 1)

    async def test_of_sessions_that_begin_while_the_user_is_disabled_none_lives(self, storage: Storage) -> None:
        """Each is refused, or has begun before and is ended."""
        await commit(storage, Changes(users_new=[a_user(1)]))
        began = await asyncio.wait_for(
            asyncio.gather(*(start(storage, n) for n in range(8)), run_again(disable)(storage, 1, LATER)),
            TIMEOUT_SECONDS,
        )
        for number, has_begun in enumerate(began[:8]):
            status = (await rotate(storage, str(number), f"next-{number}")).status
            assert status is (TokenStatus.REVOKED if has_begun else TokenStatus.UNKNOWN)

    async def test_a_user_who_was_changed_meanwhile_is_not_changed_again(self, storage: Storage) -> None:
        """Of two units of work that disable a user, the second one sees what the first one did."""
        await commit(storage, Changes(users_new=[a_user(1)]))
        seen: list[int] = []

        async def disable_once_more() -> None:
            async with storage.unit_of_work() as work:
                [user] = (await work.load(Wanted(users=[user_id(1)]))).users
                seen.append(user.version)
                await work.commit(Changes(users_changed=[replace(user, version=user.version + 1)]))

        await asyncio.wait_for(asyncio.gather(*(run_again(disable_once_more)() for _ in range(4))), TIMEOUT_SECONDS)
        assert sorted(seen) == [1, 2, 3, 4]

    async def test_a_suspended_and_a_closed_account_stay_so(self, storage: Storage) -> None:
        """Every status is kept as it was written."""
        accounts = [an_account(number, status=status) for number, status in enumerate(AccountStatus, 1)]
        await commit(storage, Changes(accounts_new=accounts))
        wanted = Wanted(account_ids=[account_id(number) for number in range(1, len(accounts) + 1)])
        found = {each.id: each.status for each in (await load(storage, wanted)).accounts}
        assert found == {each.id: each.status for each in accounts}


async def disable(storage: Storage, number: int, at: datetime) -> None:
    """Disable a user, who is active, and end their sessions."""
    async with storage.unit_of_work() as work:
        [user] = (await work.load(Wanted(users=[user_id(number)]))).users
        await work.commit(
            Changes(users_changed=[user.disabled(at)], sessions_ended=[EndedSessions(user_id=user.id, at=at)])
        )


async def change(storage: Storage, user: User | None = None, *, ended: int | None = None, at: datetime = NOW) -> None:
    """Commit a user as they are now, or the end of the sessions of user `ended`."""
    users = [] if user is None else [user]
    sessions = [] if ended is None else [EndedSessions(user_id=user_id(ended), at=at)]
    wanted = [*(each.id for each in users), *(each.user_id for each in sessions)]
    await commit(storage, Changes(users_changed=users, sessions_ended=sessions), Wanted(users=wanted))
