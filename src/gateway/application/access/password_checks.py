"""PasswordChecks: hashes and checks passwords, few at once, and slows down guesses."""

from typing import Final

from gateway.application.access.hashing_places import HashingPlaces, Purpose
from gateway.application.access.limits import AccessLimits
from gateway.application.access.login_look_ups import Login
from gateway.application.access.passwords import hash_password, verify_password
from gateway.application.access.throttle import Attempt, Throttle, attempt_at
from gateway.application.errors import InvalidCredentials, Overloaded
from gateway.application.ports.passwords import PasswordCheck, PasswordHasher

WRONG: Final = "The e-mail address or the password is wrong."
SIGNED_IN: Final = "signed in"
"""In place of a network, for users who change their password: guesses of strangers do not keep them from it."""


class PasswordChecks:
    """The passwords of one process, over one hasher."""

    def __init__(self, hasher: PasswordHasher, throttle: Throttle, limits: AccessLimits) -> None:
        self._hasher = hasher
        self._throttle = throttle
        self._limits = limits
        self._places = HashingPlaces(places=limits.hashing_places, waiting_max=limits.hashing_waiting_max)

    async def hashed(self, password: str, purpose: Purpose = Purpose.NEW_PASSWORD, *, line: str = "") -> str:
        """The hash of a password. `line` is the line in which it waits for a place.

        Raises:
            Overloaded: Too many passwords wait to be hashed.
        """
        async with self._places.place(purpose, line=line):
            return await hash_password(self._hasher, password)

    async def check_login(self, login: Login, password: str) -> PasswordCheck:
        """Check the password of somebody who logs in.

        Raises:
            InvalidCredentials: It is wrong, or there is no such user; both take the same time.
            RateLimited: Too many attempts have failed before this one, or are being checked.
            Overloaded: Too many passwords wait to be hashed. The storage was not asked for it.
        """
        attempt = attempt_at(login.email, login.network, self._limits, known=login.known)
        self._throttle.check(attempt, login.failures)
        purpose = Purpose.KNOWN_LOGIN if login.known else Purpose.LOGIN
        password_hash = None if login.found is None else login.found.password_hash
        async with self._places.place(purpose, line=login.network, alone=attempt.own):
            return await self._check(attempt, password_hash, password, WRONG)

    async def check_current(self, email: str, password_hash: str, password: str) -> None:
        """Check the password of a signed-in user who changes it.

        Raises:
            InvalidCredentials: It is wrong.
            RateLimited: Too many attempts have failed before this one, or are being checked.
            Overloaded: Too many passwords wait to be hashed.
        """
        attempt = attempt_at(email, SIGNED_IN, self._limits, known=True)
        self._throttle.check(attempt, await self._throttle.failures_of(attempt))
        async with self._places.place(Purpose.NEW_PASSWORD, line=email, alone=attempt.own):
            await self._check(attempt, password_hash, password, "The current password is wrong.")

    async def _check(self, attempt: Attempt, password_hash: str | None, password: str, refusal: str) -> PasswordCheck:
        """Check a password that has a place.

        An attempt is counted when it has a place, so that no more are counted, and not yet checked, than there are
        places. Attempts at one account from one network have one place at a time: right passwords that are sent at once
        are not taken for a burst of guesses.
        """
        await self._throttle.begin(attempt)
        try:
            check = await verify_password(self._hasher, password_hash, password)
        except Overloaded:
            await self._throttle.take_back(attempt)
            raise
        if not check.matches:
            raise InvalidCredentials(refusal)
        await self._throttle.succeeded(attempt)
        return check
