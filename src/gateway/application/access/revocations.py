"""Revocations: ended sessions and API keys, and disabled users, while credentials of theirs may still be known."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import TypeAlias

from gateway.application.access.limits import AccessLimits
from gateway.application.ports.sessions import SessionId, Sessions
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.application.ports.users import Users
from gateway.domain.member import MemberId
from gateway.domain.user import UserId

ChangedSince: TypeAlias = Callable[[datetime], Awaitable[Mapping[MemberId, int]]]
"""Reads which members were changed since a time, each with its sequence."""
EndedSince: TypeAlias = Callable[[datetime, datetime], Awaitable[AbstractSet[SessionId]]]
"""Reads what has ended from one time to another one, which is now."""


async def _nothing(_since: datetime, _now: datetime) -> AbstractSet[SessionId]:
    return frozenset()


async def _no_members(_since: datetime) -> Mapping[MemberId, int]:
    return {}


class Revocations:
    """The lists of what has ended and of disabled users, read at most every `revocations_seconds_max`.

    Attributes:
        session_ids: The sessions that were ended while tokens of theirs may be valid, and API keys that have ended.
        disabled: The users who were disabled while tokens of theirs may be valid. Their sessions have ended, too.
        keys_ended: Reads the ids of API keys that have ended, which belong to the list.
        member_sequences: The members who were changed or removed lately, each with its sequence since then.
        members_changed: Reads them.
    """

    def __init__(self, sessions: Sessions, users: Users, limits: AccessLimits, *, token_lifetime_seconds: int) -> None:
        self.session_ids: AbstractSet[SessionId] = frozenset()
        self.disabled: AbstractSet[UserId] = frozenset()
        self.keys_ended: EndedSince = _nothing
        self.member_sequences: Mapping[MemberId, int] = {}
        self.members_changed: ChangedSince = _no_members
        self._sessions = sessions
        self._users = users
        self._limits = limits
        self._token_lifetime = timedelta(seconds=2 * token_lifetime_seconds + limits.leeway_seconds)
        self._read_at: datetime | None = None
        self._reading: asyncio.Task[None] | None = None
        """The running read. An event loop does not keep its tasks by itself."""

    def is_fresh(self, now: datetime) -> bool:
        """Whether `session_ids` is recent enough. It is not after the clock was set back."""
        if self._read_at is None:
            return False
        return 0 <= (now - self._read_at).total_seconds() <= self._limits.revocations_seconds_max

    def invalidate(self) -> None:
        """Let every credential from now on wait for a list that is read from now on: something has ended here."""
        self._read_at = self._reading = None

    async def renew(self, now: datetime) -> None:
        """Read the list. While the storage is unavailable or slow, the old one stays: no payment waits for it."""
        # A list that has merely grown old serves others while it is read. After `invalidate`, all of them wait.
        if self._read_at is not None:
            self._read_at = now
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(now), name="revocations")
        reading = self._reading
        await asyncio.wait([reading], timeout=self._limits.revocations_wait_seconds_max)
        if reading.done():
            reading.result()

    async def _read(self, now: datetime) -> None:
        try:
            since = now - self._token_lifetime
            sessions, keys, disabled, members = await asyncio.gather(
                self._sessions.revoked_since(since),
                self.keys_ended(since, now),
                self._users.disabled_since(since),
                self.members_changed(since),
            )
        except StorageUnavailable:
            lists = None
        else:
            lists = (sessions | keys if keys else sessions), disabled, members
        if self._reading is not asyncio.current_task():
            return  # The list was invalidated meanwhile: it may be older than what has ended.
        self._read_at = now
        if lists is not None:
            self.session_ids, self.disabled, self.member_sequences = lists
