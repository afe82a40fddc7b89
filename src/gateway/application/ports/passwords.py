"""Passwords, kept as hashes which are slow to guess."""

from typing import Protocol

from gateway.domain.immutable import immutable


class HashingOverloaded(Exception):  # noqa: N818 - names what happened, as every refusal of the gateway does.
    """So many passwords wait to be hashed that this one was not taken; nothing was done, and it may be tried again."""


@immutable
class PasswordCheck:
    """What a stored hash says about a password.

    Attributes:
        matches: Whether the hash is of this password.
        outdated: Whether it matches but was made with weaker parameters than today's, so that the caller should
            store a new hash while the password is at hand.
    """

    matches: bool
    outdated: bool


class PasswordHasher(Protocol):
    """Hashes and checks passwords without holding up anything else the process does.

    A password is any text. Two spellings that Unicode (NFKC) calls equal are the same password, as a keyboard may send
    either one.
    """

    async def hash(self, password: str) -> str:
        """Return a salted hash to store: ASCII text that names its algorithm and parameters.

        Raises:
            HashingOverloaded: Too many are waiting already.
        """
        ...

    async def verify(self, password_hash: str | None, password: str) -> PasswordCheck:
        """Check a password against a stored hash.

        Args:
            password_hash: What `hash` returned. `None` when there is no such user: the answer is negative, and it
                costs what a wrong password costs, so that time does not tell who is registered.
            password: What the caller claims it to be.

        Returns:
            The check. A stored hash that cannot be read matches nothing.

        Raises:
            HashingOverloaded: Too many are waiting already.
        """
        ...
