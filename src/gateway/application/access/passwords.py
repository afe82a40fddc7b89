"""Passwords: which may be chosen, and how they are hashed and verified."""

import secrets
import unicodedata
from typing import Final

from zxcvbn.frequency_lists import FREQUENCY_LISTS

from gateway.application.errors import Overloaded
from gateway.application.ports.passwords import HashingOverloaded, PasswordCheck, PasswordHasher
from gateway.domain.checks import check_text
from gateway.domain.errors import invalid
from gateway.domain.limits import PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN, TYPED_PASSWORD_LENGTH_MAX

COMMON_PASSWORDS: Final = frozenset(FREQUENCY_LISTS["passwords"])

_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""None of them looks like another one."""
_GROUPS: Final = 4
_GROUP_LENGTH: Final = 5


def random_password() -> str:
    """A password of 99 random bits that is easy to copy: `k3v9x-…-…-…`."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    return "-".join(groups)


def check_new_password(password: str, *, field: str = "password") -> None:
    """Check the length of a new password, and that it is not common (NIST SP 800-63B: no rules of composition).

    Raises:
        InvalidInput: It is too short, too long, or common.
    """
    check_typed_password(field, password)
    password = _normal_form(password)
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise invalid(field, "password_length", f"Use {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters.")
    if password.lower() in COMMON_PASSWORDS:
        raise invalid(field, "password_common", "Everybody tries this password first. Choose another.")


def check_typed_password(field: str, password: object) -> None:
    """Check the type and the length of a password that somebody has typed, right or wrong.

    Raises:
        InvalidInput: It is not a text, or longer than `TYPED_PASSWORD_LENGTH_MAX`.
    """
    check_text(field, password, TYPED_PASSWORD_LENGTH_MAX, length_min=0)


async def hash_password(hasher: PasswordHasher, password: str) -> str:
    """Hash a password in its normal form.

    Raises:
        Overloaded: Too many passwords wait to be hashed.
    """
    try:
        return await hasher.hash(_normal_form(password))
    except HashingOverloaded as overloaded:
        raise _overloaded() from overloaded


async def verify_password(hasher: PasswordHasher, password_hash: str | None, password: str) -> PasswordCheck:
    """Check a password against a stored hash; `None` if there is no such user, at the same cost.

    Raises:
        Overloaded: Too many passwords wait to be hashed.
    """
    if len(password) > PASSWORD_LENGTH_MAX:
        password_hash = None
        password = ""
    normal = _normal_form(password)
    try:
        check = await hasher.verify(password_hash, normal)
        if check.matches or normal == password:
            return check
        # Earlier versions hashed passwords as they were typed.
        check = await hasher.verify(password_hash, password)
        return PasswordCheck(matches=check.matches, outdated=check.matches)
    except HashingOverloaded as overloaded:
        raise _overloaded() from overloaded


def _normal_form(password: str) -> str:
    """The form that is hashed: the same however a keyboard composes its characters (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFC", password)


def _overloaded() -> Overloaded:
    return Overloaded("Too many logins are waiting.")
