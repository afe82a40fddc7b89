"""What every store of sessions promises."""

import asyncio
from datetime import datetime, timedelta

from gateway.application.ports.sessions import RotationResult, SessionId, StoredToken, Successor, TokenStatus
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes
from gateway.contracts.records import NOW, a_user, commit, identifier, user_id

SECOND = timedelta(seconds=1)
LATER = NOW + timedelta(days=30)


class SessionsContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    async def test_a_refresh_token_is_exchanged_for_its_successor(self, storage: Storage) -> None:
        """It tells whose session it is, and the successor is good in turn."""
        await begin(storage, 1)
        assert await rotate(storage, "1", "2") == RotationResult(
            status=TokenStatus.ROTATED,
            session_id=session_id(1),
            user_id=user_id(1),
            used_at=NOW,
            sealed=sealed("2"),
        )
        rotation = await rotate(storage, "2", "3", seconds=0.000001)
        assert rotation.status is TokenStatus.ROTATED
        assert rotation.session_id == session_id(1)

    async def test_a_used_token_tells_what_it_was_exchanged_for(self, storage: Storage) -> None:
        """And stores no second successor."""
        await begin(storage, 1)
        await rotate(storage, "1", "2")
        expected = RotationResult(
            status=TokenStatus.USED,
            session_id=session_id(1),
            user_id=user_id(1),
            used_at=NOW,
            sealed=sealed("2"),
            successor_used=False,
        )
        assert await rotate(storage, "1", "other", seconds=5) == expected
        assert await rotate(storage, "1", "another", seconds=6) == expected
        assert (await rotate(storage, "other", "3")).status is TokenStatus.UNKNOWN

    async def test_a_used_token_tells_whether_its_successor_has_been_used(self, storage: Storage) -> None:
        """Then the answer cannot have been lost."""
        await begin(storage, 1)
        await rotate(storage, "1", "2")
        await rotate(storage, "2", "3", seconds=1)
        first = await rotate(storage, "1", "other", seconds=2)
        second = await rotate(storage, "2", "other", seconds=2)
        assert (first.status, first.successor_used, first.sealed) == (TokenStatus.USED, True, sealed("2"))
        assert (second.status, second.successor_used, second.sealed) == (TokenStatus.USED, False, sealed("3"))
        assert second.used_at == NOW + SECOND

    async def test_a_successor_that_was_given_out_again_tells_so(self, storage: Storage) -> None:
        """When it is used, and when it is used once more. Its own successor was given out once."""
        await begin(storage, 1)
        await rotate(storage, "1", "2")
        assert await storage.sessions.repeat(token_hash("1"), now=NOW)
        first, second = await rotate(storage, "2", "3"), await rotate(storage, "2", "other")
        assert (first.status, first.repeated) == (TokenStatus.ROTATED, True)
        assert (second.status, second.repeated) == (TokenStatus.USED, True)
        assert not (await rotate(storage, "1", "other")).repeated
        assert not (await rotate(storage, "3", "4")).repeated

    async def test_a_successor_that_has_been_used_is_not_given_out_again(self, storage: Storage) -> None:
        """Nor that of a token that was not used, or is unknown."""
        await begin(storage, 1)
        assert not await storage.sessions.repeat(token_hash("1"), now=NOW)
        assert not await storage.sessions.repeat(token_hash("unknown"), now=NOW)
        await rotate(storage, "1", "2")
        await rotate(storage, "2", "3")
        assert not await storage.sessions.repeat(token_hash("1"), now=NOW)
        assert not (await rotate(storage, "2", "other")).repeated

    async def test_a_session_begins_only_with_the_hash_that_is_stored(self, storage: Storage) -> None:
        """Nothing is stored otherwise, nor for an unknown user."""
        await begin(storage, 1)
        hashed = a_user().password_hash
        assert await storage.users.replace_password_hash(user_id(1), old=hashed, new="$new")
        assert not await start(storage, 2, password_hash=hashed)
        assert not await start(storage, 3, user=9)
        assert (await rotate(storage, "2", "other")).status is TokenStatus.UNKNOWN
        assert await start(storage, 4, password_hash="$new")  # noqa: S106 - no hash of anything.
        assert (await rotate(storage, "4", "other")).status is TokenStatus.ROTATED

    async def test_no_session_of_an_old_password_outlives_its_change(self, storage: Storage) -> None:
        """Sixteen logins beside a new password: each session has begun before all are ended, or does not begin."""
        await begin(storage, 1)
        hashed = a_user().password_hash

        async def change() -> None:
            await storage.users.replace_password_hash(user_id(1), old=hashed, new="$new", sessions_end_at=NOW)

        numbers = range(2, 18)
        async with asyncio.timeout(30):
            began = (await asyncio.gather(change(), *(start(storage, number) for number in numbers)))[1:]
        ended = await storage.sessions.revoked_since(NOW)
        assert {session_id(number) for number, each in zip(numbers, began, strict=True) if each} <= ended

    async def test_it_is_known_where_a_user_has_logged_in_from(self, storage: Storage) -> None:
        """Also after the session has ended. Nothing is known of other users, and of other networks."""
        await begin(storage, 1)
        await begin(storage, 2)
        assert await start(storage, 3, network="2001:db8::/64")
        await storage.sessions.revoke_user(user_id(1), now=NOW)
        networks = ("192.0.2.1", "2001:db8::/64", "192.0.2.2")
        asked = [(f"user{user}@example.com", network) for user in (1, 2, 3) for network in networks]
        found = await storage.users.at_login(asked)
        known = [
            (email[4], network) for email, network in asked if (email, network) in found if found[email, network].known
        ]
        assert known == [("1", "192.0.2.1"), ("1", "2001:db8::/64"), ("2", "192.0.2.1")]

    async def test_of_sixteen_concurrent_exchanges_exactly_one_rotates(self, storage: Storage) -> None:
        """The others find the token used, for the winner's successor."""
        await begin(storage, 1)
        async with asyncio.timeout(30):
            rotation = await asyncio.gather(*(rotate(storage, "1", f"next-{n}") for n in range(16)))
        statuses = [each.status for each in rotation]
        assert statuses.count(TokenStatus.ROTATED) == 1
        assert statuses.count(TokenStatus.USED) == 15
        winner = statuses.index(TokenStatus.ROTATED)
        assert {each.sealed for each in rotation} == {sealed(f"next-{winner}")}
        good = [(await rotate(storage, f"next-{n}", f"last-{n}")).status for n in range(16)]
        assert [n for n, status in enumerate(good) if status is not TokenStatus.UNKNOWN] == [winner]

    async def test_an_unknown_token_tells_nothing(self, storage: Storage) -> None:
        """And stores nothing."""
        await begin(storage, 1)
        assert await rotate(storage, "unknown", "2") == RotationResult(status=TokenStatus.UNKNOWN)
        assert await rotate(storage, "2", "3") == RotationResult(status=TokenStatus.UNKNOWN)

    async def test_a_token_is_good_until_its_last_moment_and_no_longer(self, storage: Storage) -> None:
        """Its end is no part of its life."""
        await begin(storage, 1)
        await begin(storage, 2)
        before = await storage.sessions.rotate(token_hash("1"), successor("3"), now=LATER - timedelta(microseconds=1))
        after = await storage.sessions.rotate(token_hash("2"), successor("4"), now=LATER)
        assert before.status is TokenStatus.ROTATED
        assert after.status is TokenStatus.EXPIRED
        assert (await rotate(storage, "4", "5")).status is TokenStatus.UNKNOWN

    async def test_no_token_of_an_ended_session_is_good(self, storage: Storage) -> None:
        """Whether it was used or not; other sessions go on."""
        await begin(storage, 1)
        await begin(storage, 2)
        await rotate(storage, "1", "next")
        await storage.sessions.revoke(session_id(1), now=NOW)
        assert (await rotate(storage, "1", "a")).status is TokenStatus.REVOKED
        assert (await rotate(storage, "next", "b")).status is TokenStatus.REVOKED
        assert (await rotate(storage, "b", "c")).status is TokenStatus.UNKNOWN
        assert (await rotate(storage, "2", "d")).status is TokenStatus.ROTATED

    async def test_a_session_that_has_ended_stays_as_it_is(self, storage: Storage) -> None:
        """It ended when it ended."""
        await begin(storage, 1)
        await storage.sessions.revoke(session_id(1), now=NOW)
        await storage.sessions.revoke(session_id(1), now=NOW + SECOND)
        assert await storage.sessions.revoked_since(NOW + SECOND) == set()

    async def test_ending_a_session_that_never_began_changes_nothing(self, storage: Storage) -> None:
        """It may have been forgotten long ago."""
        await begin(storage, 1)
        await storage.sessions.revoke(session_id(2), now=NOW)
        await storage.sessions.revoke_token(token_hash("unknown"), user_id(1), now=NOW)
        assert await storage.sessions.revoked_since(NOW) == set()

    async def test_a_user_ends_a_session_by_any_of_its_tokens(self, storage: Storage) -> None:
        """Also by one that was used."""
        await begin(storage, 1)
        await rotate(storage, "1", "2")
        await storage.sessions.revoke_token(token_hash("1"), user_id(1), now=NOW)
        assert (await rotate(storage, "2", "3")).status is TokenStatus.REVOKED

    async def test_a_user_cannot_end_the_session_of_another(self, storage: Storage) -> None:
        """Even if they hold its token."""
        await begin(storage, 1)
        await storage.sessions.revoke_token(token_hash("1"), user_id(2), now=NOW)
        assert (await rotate(storage, "1", "2")).status is TokenStatus.ROTATED

    async def test_all_sessions_of_a_user_end_together(self, storage: Storage) -> None:
        """And nobody else's."""
        await begin(storage, 1)
        await begin(storage, 2, user=1)
        await begin(storage, 3)
        await storage.sessions.revoke_user(user_id(1), now=NOW)
        statuses = [(await rotate(storage, str(n), f"next-{n}")).status for n in (1, 2, 3)]
        assert statuses == [TokenStatus.REVOKED, TokenStatus.REVOKED, TokenStatus.ROTATED]
        assert await storage.sessions.revoked_since(NOW) == {session_id(1), session_id(2)}

    async def test_a_new_password_ends_all_sessions_of_the_user_in_one_step(self, storage: Storage) -> None:
        """If they are to end, and if it was replaced; nobody else's."""
        await begin(storage, 1)
        await begin(storage, 2, user=1)
        await begin(storage, 3)
        hashed, users = a_user().password_hash, storage.users
        assert not await users.replace_password_hash(user_id(1), old="$other", new="$new", sessions_end_at=NOW)
        assert await users.replace_password_hash(user_id(1), old=hashed, new="$new")
        assert await storage.sessions.revoked_since(NOW) == set()
        assert await users.replace_password_hash(user_id(1), old="$new", new="$newer", sessions_end_at=NOW)
        assert await storage.sessions.revoked_since(NOW) == {session_id(1), session_id(2)}

    async def test_another_address_ends_all_sessions_of_the_user_in_one_step(self, storage: Storage) -> None:
        """As a new password."""
        await begin(storage, 1)
        await begin(storage, 3)
        old, users = "user1@example.com", storage.users
        assert not await users.replace_email(
            user_id(1), old="user9@example.com", new="a@example.com", sessions_end_at=NOW
        )
        assert await users.replace_email(user_id(1), old=old, new="a@example.com")
        assert await storage.sessions.revoked_since(NOW) == set()
        assert await users.replace_email(user_id(1), old="a@example.com", new=old, sessions_end_at=NOW)
        assert await storage.sessions.revoked_since(NOW) == {session_id(1)}

    async def test_ending_all_sessions_of_a_user_does_not_end_one_twice(self, storage: Storage) -> None:
        """What has ended before keeps its time."""
        await begin(storage, 1)
        await begin(storage, 2, user=1)
        await storage.sessions.revoke(session_id(1), now=NOW)
        await storage.sessions.revoke_user(user_id(1), now=NOW + SECOND)
        assert await storage.sessions.revoked_since(NOW + SECOND) == {session_id(2)}

    async def test_ended_sessions_are_told_from_a_moment_on(self, storage: Storage) -> None:
        """That moment included, to the microsecond. Sessions that have not ended are left out."""
        for number in (1, 2, 3):
            await begin(storage, number)
        await storage.sessions.revoke(session_id(1), now=NOW)
        await storage.sessions.revoke(session_id(2), now=NOW + SECOND)
        sessions = storage.sessions
        assert await sessions.revoked_since(NOW) == {session_id(1), session_id(2)}
        assert await sessions.revoked_since(NOW + timedelta(microseconds=1)) == {session_id(2)}
        assert await sessions.revoked_since(NOW + SECOND) == {session_id(2)}
        assert await sessions.revoked_since(NOW + SECOND + timedelta(microseconds=1)) == set()


def session_id(number: int) -> SessionId:
    """The id of session `number`."""
    return SessionId(identifier("ses", number))


def token_hash(name: str) -> bytes:
    """32 bytes for the token that the test calls `name`."""
    return name.encode().ljust(32, b"\xff")


def sealed(name: str) -> bytes:
    """The sealed secret of the token `name`: any bytes at all, NUL among them."""
    return bytes(byte ^ 0xFF for byte in token_hash(name))


def successor(name: str) -> Successor:
    """The token `name` as a successor, good until `LATER`."""
    return Successor(token=StoredToken(token_hash=token_hash(name), expires_at=LATER), sealed=sealed(name))


async def begin(storage: Storage, number: int, *, user: int | None = None) -> None:
    """Session `number` of a user of the same number, unless it is another's; its token is called the same."""
    if user is None:
        await commit(storage, Changes(users_new=[a_user(number)]))
    assert await start(storage, number, user=user or number)


async def start(
    storage: Storage,
    number: int,
    *,
    user: int = 1,
    token: StoredToken | None = None,
    password_hash: str | None = None,
    network: str = "192.0.2.1",
    now: datetime = NOW,
) -> bool:
    """Try to begin session `number`, with the hash that the user was made with."""
    return await storage.sessions.start(
        session_id(number),
        user_id(user),
        token or StoredToken(token_hash=token_hash(str(number)), expires_at=LATER),
        password_hash=password_hash or a_user().password_hash,
        network=network,
        now=now,
    )


async def rotate(storage: Storage, name: str, into: str, *, seconds: float = 0) -> RotationResult:
    """Present the token `name`, so long after `NOW`."""
    return await storage.sessions.rotate(token_hash(name), successor(into), now=NOW + timedelta(seconds=seconds))
