"""Recovery codes: what a person shows who has lost the telephone. Each is good once."""

import hashlib
import secrets
from typing import Final

RECOVERY_CODES: Final = 10
"""How many recovery codes a user gets."""
ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS: Final = 4
GROUP_LENGTH: Final = 4


def new_recovery_codes() -> tuple[str, ...]:
    """New codes, such as `k3mf-9v2x-bq7t-cd4n`: 16 characters with 79 random bits."""
    return tuple(_new_code() for _ in range(RECOVERY_CODES))


def hash_of_recovery_code(code: str) -> bytes:
    """The SHA-256 of a code, however its letters and dashes are typed. 79 random bits need no slower hash."""
    typed = "".join(each for each in code.lower() if each.isalnum())
    return hashlib.sha256(typed.encode()).digest()


def _new_code() -> str:
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    return "-".join(groups)
