"""LoginLookUps: what is stored about those who log in. Logins that arrive together share a read."""

import asyncio
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.application.access.throttle import scopes_of
from gateway.application.errors import Overloaded
from gateway.application.ports.login_failures import Failures, LoginFailures
from gateway.application.ports.users import Credentials, Users
from gateway.domain.immutable import immutable

PAUSE_PER_READ: Final = 3
"""After a read, the next one begins so many times later than the read took: reads take a quarter of one connection."""
PAUSE_SECONDS_MAX: Final = 0.05
"""How long the next read waits at most: about as long as one hash takes on a busy machine."""
READ_MAX: Final = 256
"""The logins of one read."""
WAITING_MAX: Final = 1_024
"""The logins that wait for a read."""


@immutable
class Login:
    """Somebody who logs in, and what is stored about them.

    Attributes:
        email: The spelling that the user is stored under, or would be.
        network: Where they log in from.
        found: The user, or `None` if there is no such user.
        known: Whether the user has logged in from there before.
        failures: Of those scopes of `scopes_of` that have any.
    """

    email: str
    network: str
    found: Credentials | None
    known: bool
    failures: Mapping[str, Failures]


@dataclass(slots=True, eq=False)
class _Waiting:
    spellings: Sequence[str]
    network: str
    login: asyncio.Future[Login]


class LoginLookUps:
    """Looks up all waiting logins in one read at a time: a flood of logins takes one connection, and few reads.

    A flood's logins are looked up, too, since only the storage has the known networks of a user. A look-up is cheap:
    one read of hundreds of logins costs about as much as a read of a few.
    """

    def __init__(self, users: Users, login_failures: LoginFailures) -> None:
        self._users = users
        self._login_failures = login_failures
        self._waiting: deque[_Waiting] = deque()
        self._reading: asyncio.Task[None] | None = None
        self._clients = 0
        self._next_at = 0.0

    async def look_up(self, spellings: Sequence[str], network: str) -> Login:
        """What is stored about somebody who logs in.

        Args:
            spellings: Of the e-mail address, the one that counts first: the first one that a user has, or the last.
            network: Where they log in from.

        Raises:
            Overloaded: Too many wait.
            StorageUnavailable: The storage is away.
        """
        if len(self._waiting) >= WAITING_MAX:
            raise Overloaded("Too many logins are waiting.")
        waiting = _Waiting(spellings, network, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_all(), name="look-ups of logins")
        self._clients += 1
        try:
            return await waiting.login
        finally:
            self._clients -= 1
            if not self._clients:
                self._end_reading()

    def _end_reading(self) -> None:
        """End a read whose clients have all gone away: it may hang."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    async def _read_all(self) -> None:
        try:
            while self._waiting:
                await self._read_next()
        finally:
            if self._reading is asyncio.current_task():
                self._reading = None

    async def _read_next(self) -> None:
        loop = asyncio.get_running_loop()
        if (pause := self._next_at - loop.time()) > 0:
            await asyncio.sleep(pause)
        taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), READ_MAX))]
        # Cancelled logins are not looked up.
        taken = [each for each in taken if not each.login.done()]
        if not taken:
            return
        began = loop.time()
        try:
            logins = await self._read(taken)
        except Exception as error:  # noqa: BLE001 - whatever it is, all of them wait to be told.
            for each in taken:
                if not each.login.done():
                    each.login.set_exception(error)
            return
        finally:
            ended = loop.time()
            self._next_at = ended + min(PAUSE_PER_READ * (ended - began), PAUSE_SECONDS_MAX)
        for each, login in zip(taken, logins, strict=True):
            if not each.login.done():
                each.login.set_result(login)

    async def _read(self, asked: Collection[_Waiting]) -> Sequence[Login]:
        pairs = {(spelling, each.network) for each in asked for spelling in each.spellings}
        users = await self._users.at_login(pairs)
        emails = [
            next((email for email in each.spellings if (email, each.network) in users), each.spellings[-1])
            for each in asked
        ]
        scopes = [scopes_of(email, each.network) for email, each in zip(emails, asked, strict=True)]
        failures = await self._login_failures.of({scope for of_one in scopes for scope in of_one})
        logins: list[Login] = []
        for email, each, of_one in zip(emails, asked, scopes, strict=True):
            user = users.get((email, each.network))
            logins.append(
                Login(
                    email=email,
                    network=each.network,
                    found=None if user is None else user.credentials,
                    known=user is not None and user.known,
                    failures={scope: failures[scope] for scope in of_one if scope in failures},
                )
            )
        return logins
