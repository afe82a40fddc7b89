"""PasswordChecks: hashes and checks passwords, few at once, and slows down guesses."""

import asyncio
from collections.abc import MutableMapping
from typing import Final
from weakref import WeakValueDictionary

from gateway.application.access.hashing_places import HashingPlaces, Purpose
from gateway.application.access.limits import AccessLimits
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
        self._turns: MutableMapping[str, asyncio.Lock] = WeakValueDictionary()

    async def hashed(self, password: str, purpose: Purpose = Purpose.NEW_PASSWORD) -> str:
        """The hash of a password.

        Raises:
            Overloaded: Too many passwords wait to be hashed.
        """
        async with self._places.place(purpose):
            return await hash_password(self._hasher, password)

    async def check_login(
        self, email: str, network: str, password_hash: str | None, password: str, *, known: bool
    ) -> PasswordCheck:
        """Check the password of somebody who logs in.

        Args:
            email: The canonical address of the account.
            network: Where the login comes from.
            password_hash: The stored hash, or `None` if there is no such account.
            password: What was typed.
            known: Whether the account's user has logged in from this network before.

        Raises:
            InvalidCredentials: It is wrong.
            RateLimited: Too many attempts have failed before this one, or are being checked.
            Overloaded: Too many passwords wait to be hashed.
        """
        attempt = attempt_at(email, network, self._limits, known=known)
        purpose = Purpose.KNOWN_LOGIN if known else Purpose.LOGIN
        return await self._check(attempt, purpose, password_hash, password, WRONG)

    async def check_current(self, email: str, password_hash: str, password: str) -> None:
        """Check the password of a signed-in user who changes it.

        Raises:
            InvalidCredentials: It is wrong.
            RateLimited: Too many attempts have failed before this one, or are being checked.
            Overloaded: Too many passwords wait to be hashed.
        """
        attempt = attempt_at(email, SIGNED_IN, self._limits, known=True)
        refusal = "The current password is wrong."
        await self._check(attempt, Purpose.NEW_PASSWORD, password_hash, password, refusal)

    async def _check(
        self, attempt: Attempt, purpose: Purpose, password_hash: str | None, password: str, refusal: str
    ) -> PasswordCheck:
        await self._throttle.check(attempt)
        # One after the other: right passwords that are sent at once are not taken for a burst of guesses. An attempt
        # is counted when it has a place, so that no more are counted, and not yet checked, than there are places.
        async with self._turns.setdefault(attempt.own, asyncio.Lock()), self._places.place(purpose):
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
