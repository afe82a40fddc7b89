"""LoginLookUps: what is stored about those who log in. Logins that arrive together share a read."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from gateway.application.access.shared_reads import SharedReads
from gateway.application.access.throttle import scopes_of
from gateway.application.ports.login_failures import Failures, LoginFailures
from gateway.application.ports.users import Credentials, Users
from gateway.domain.immutable import immutable


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


class _Asked(NamedTuple):
    spellings: Sequence[str]
    network: str


class LoginLookUps:
    """Looks up all waiting logins in one read at a time: a flood of logins takes one connection, and few reads.

    A flood's logins are looked up, too, since only the storage has the known networks of a user. A look-up is cheap:
    one read of hundreds of logins costs about as much as a read of a few.
    """

    def __init__(self, users: Users, login_failures: LoginFailures) -> None:
        self._users = users
        self._login_failures = login_failures
        self._reads = SharedReads(self._read, "look-ups of logins")

    async def look_up(self, spellings: Sequence[str], network: str) -> Login:
        """What is stored about somebody who logs in.

        Args:
            spellings: Of the e-mail address, the one that counts first: the first one that a user has, or the last.
            network: Where they log in from.

        Raises:
            Overloaded: Too many wait.
            StorageUnavailable: The storage is away.
        """
        return await self._reads.find(_Asked(spellings, network))

    async def _read(self, asked: Collection[_Asked]) -> Sequence[Login]:
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
