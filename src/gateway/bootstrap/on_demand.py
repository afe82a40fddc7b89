"""Parts that are made when they are first used: a program without log-ins needs no signing key and hashes nothing."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from typing_extensions import override

from gateway.application.ports.passwords import PasswordCheck, PasswordHasher
from gateway.application.ports.second_factors import TimeCodes
from gateway.application.ports.tokens import AccessClaims, AccessTokens

PROCESS_LIFETIME_SECONDS: Final = 900
"""How long a token is valid whose key ends with the process."""


class ClosablePasswordHasher(PasswordHasher, Protocol):
    """A hasher with threads of its own."""

    async def close(self) -> None:
        """Finish what was taken, and end the threads."""
        ...


class TokensOnDemand(AccessTokens):
    """Access tokens whose key is read or made when the first token is issued or verified.

    Every method raises what `make` raises.
    """

    def __init__(self, make: Callable[[], AccessTokens], *, lifetime_seconds: int) -> None:
        """Keep `make`, which makes access tokens with this lifetime."""
        self._make = make
        self._lifetime_seconds = lifetime_seconds
        self._made: AccessTokens | None = None

    @property
    @override
    def lifetime_seconds(self) -> int:
        return self._lifetime_seconds

    @override
    def issue(self, *, subject: str, role: str, token_id: str, now: datetime) -> str:
        return self._tokens().issue(subject=subject, role=role, token_id=token_id, now=now)

    @override
    def verify(self, token: str, *, now: datetime) -> AccessClaims:
        return self._tokens().verify(token, now=now)

    @override
    def jwks(self) -> Mapping[str, Any]:
        return self._tokens().jwks()

    def _tokens(self) -> AccessTokens:
        if self._made is None:
            self._made = self._make()
        return self._made


class ProcessTokens(TokensOnDemand):
    """Access tokens whose key ends with the process."""


class PasswordsOnDemand(PasswordHasher):
    """A password hasher that is made when the first password is hashed or checked."""

    def __init__(self, make: Callable[[], ClosablePasswordHasher]) -> None:
        self._make = make
        self._made: ClosablePasswordHasher | None = None

    @override
    async def hash(self, password: str) -> str:
        return await self._hasher().hash(password)

    @override
    async def verify(self, password_hash: str | None, password: str) -> PasswordCheck:
        return await self._hasher().verify(password_hash, password)

    def prepare(self) -> None:
        """Make the hasher now: what serves does not keep the first login waiting."""
        self._hasher()

    async def close(self) -> None:
        """Close the hasher, if it was made."""
        if self._made is not None:
            await self._made.close()

    def _hasher(self) -> ClosablePasswordHasher:
        if self._made is None:
            self._made = self._make()
        return self._made


class TimeCodesOnDemand(TimeCodes):
    """One-time codes whose library is loaded when the first secret is drawn or the first code is checked."""

    def __init__(self) -> None:
        self._made: TimeCodes | None = None

    @override
    def new_secret(self) -> str:
        return self._codes().new_secret()

    @override
    def step_of(self, secret: str, code: str, now: datetime) -> int | None:
        return self._codes().step_of(secret, code, now)

    @override
    def uri(self, secret: str, *, account: str, issuer: str) -> str:
        return self._codes().uri(secret, account=account, issuer=issuer)

    def _codes(self) -> TimeCodes:
        if self._made is None:
            from gateway.adapters.totp.time_codes import TotpCodes

            self._made = TotpCodes()
        return self._made
