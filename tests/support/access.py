"""Access over a storage, with a clock that stands still and passwords that are quick to hash."""

import asyncio
from dataclasses import dataclass, field

import pytest

from gateway.adapters.jose.access_tokens import JoseAccessTokens
from gateway.adapters.jose.keys import signing_key_from_secret
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.adapters.totp.time_codes import TotpCodes
from gateway.application.access.access import Access
from gateway.application.access.limits import AccessLimits
from gateway.application.access.signed_in import SignedIn
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.errors import InvalidCredentials
from gateway.application.ports.clock import Clock
from gateway.application.ports.passwords import HashingOverloaded, PasswordCheck
from gateway.application.ports.storage import Storage
from support.builders import a_batch

SIGNING_KEY = signing_key_from_secret("9824ab55f2c12fd978574db70d6a4d3aa7568c38b64bfc770b48b1f9071cfe4c")
EMAIL = "ada@example.com"
PASSWORD = "correct horse battery staple"
OTHER_PASSWORD = "staple battery horse correct"
HERE = "192.0.2.1"


@dataclass(slots=True)
class PlainHasher:
    """Hashes nothing: a stored hash is the generation of its parameters, and the password."""

    generation: int = 1
    overloaded: bool = False
    verified: list[str | None] = field(default_factory=list[str | None])

    async def hash(self, password: str) -> str:
        if self.overloaded:
            raise HashingOverloaded
        return f"{self.generation}:{password}"

    async def verify(self, password_hash: str | None, password: str) -> PasswordCheck:
        if self.overloaded:
            raise HashingOverloaded
        await asyncio.sleep(0)
        self.verified.append(password_hash)
        generation, _, hashed = ("", "", None) if password_hash is None else password_hash.partition(":")
        matches = hashed == password
        return PasswordCheck(matches=matches, outdated=matches and generation != str(self.generation))


def an_access(
    storage: Storage,
    clock: Clock,
    *,
    passwords: PlainHasher | None = None,
    limits: AccessLimits | None = None,
    lifetime_seconds: int = 900,
) -> Access:
    """One process's access: another one over the same storage is another process."""
    return Access(
        executor=CommandExecutor(OneByOne(a_batch(storage, clock).run), time_ordered_id),
        users=storage.users,
        sessions=storage.sessions,
        api_keys=storage.api_keys,
        second_factors=storage.second_factors,
        members=storage.members,
        login_failures=storage.login_failures,
        audit_log=storage.audit_log,
        passwords=passwords or PlainHasher(),
        tokens=JoseAccessTokens(
            issuer="https://gateway.example",
            audience="gateway",
            signing_key=SIGNING_KEY,
            lifetime_seconds=lifetime_seconds,
        ),
        time_codes=TotpCodes(),
        clock=clock,
        identifiers=time_ordered_id,
        limits=limits or AccessLimits(),
    )


async def log_in(access: Access, email: str = EMAIL, password: str = PASSWORD, address: str = HERE) -> SignedIn:
    return await access.log_in(email=email, password=password, address=address)


async def fail_to_log_in(access: Access, times: int = 1, email: str = EMAIL, address: str = HERE) -> None:
    for _ in range(times):
        with pytest.raises(InvalidCredentials):
            await log_in(access, email, "wrong password", address)
