"""Hashers of passwords, which load their library when the first password is hashed."""

from typing import TYPE_CHECKING

from gateway.bootstrap.on_demand import PasswordsOnDemand
from gateway.settings.values import Settings

if TYPE_CHECKING:
    from gateway.adapters.argon2.password_hasher import Argon2PasswordHasher


def hasher_of(settings: Settings) -> PasswordsOnDemand:
    """The password hasher of the settings. It takes no threads before it is used; `close` it."""
    return PasswordsOnDemand(
        lambda: _argon2()(threads=settings.hashing_threads, waiting_max=settings.hashing_waiting_max)
    )


def fast_hasher() -> PasswordsOnDemand:
    """A password hasher for tests: fast, and weak."""
    return PasswordsOnDemand(lambda: _argon2()(threads=1, time_cost=1, memory_cost_kibibytes=8))


def _argon2() -> "type[Argon2PasswordHasher]":
    from gateway.adapters.argon2.password_hasher import Argon2PasswordHasher

    return Argon2PasswordHasher
