"""How API keys are written: `gk_live_<id>_<checksum><secret>`, or `gk_test_…` in a sandbox.

Secret scanners find them by the prefix, and tell true keys from others by the checksum: CRC-32 of the key without it,
in six digits of `DIGITS`. It also lets the gateway refuse what was mistyped or cut off without a look-up.
"""

import hashlib
import re
import secrets
import zlib
from typing import Final, NamedTuple

from gateway.domain.api_key import ApiKeyId
from gateway.domain.immutable import immutable

PREFIX: Final = "gk_"
"""Begins every API key, and no access token."""
SECRET_DIGITS: Final = 40
"""238 random bits."""
CHECKSUM_DIGITS: Final = 6
DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_ID_PREFIX: Final = "key_"
_FORM: Final = re.compile(
    rf"(gk_(?:live|test)_)([0-9a-z]{{1,60}})_([0-9A-Za-z]{{{CHECKSUM_DIGITS}}})([0-9A-Za-z]{{{SECRET_DIGITS}}})"
)


class KeyParts(NamedTuple):
    """What a key is made of."""

    key_id: ApiKeyId
    secret: str


@immutable
class ApiKeyFormat:
    """The form of the keys of an environment. `live` is for production."""

    live: bool = False

    def write(self, key_id: ApiKeyId, secret: str) -> str:
        """A key: what its owner sends."""
        head = f"{self._prefix}{key_id.removeprefix(_ID_PREFIX)}_"
        return head + _checksum(head + secret) + secret

    def read(self, text: str) -> KeyParts | None:
        """The parts of a key; `None` if it is not in the form of a key of this environment."""
        form = _FORM.fullmatch(text)
        if form is None:
            return None
        prefix, key_id, checksum, secret = form.groups()
        if prefix != self._prefix or _checksum(f"{prefix}{key_id}_{secret}") != checksum:
            return None
        return KeyParts(ApiKeyId(_ID_PREFIX + key_id), secret)

    @property
    def _prefix(self) -> str:
        return f"{PREFIX}live_" if self.live else f"{PREFIX}test_"


def id_in_key(text: str) -> ApiKeyId | None:
    """The id within a text in the form of a key, of any environment; `None` if it is in another form."""
    form = _FORM.fullmatch(text)
    return None if form is None else ApiKeyId(_ID_PREFIX + form.group(2))


def new_key_secret() -> str:
    """Draw the secret of a key at random."""
    return "".join(secrets.choice(DIGITS) for _ in range(SECRET_DIGITS))


def hash_of_key_secret(secret: str) -> bytes:
    """The hash under which a secret is stored."""
    return hashlib.sha256(secret.encode()).digest()


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    digits = ""
    for _ in range(CHECKSUM_DIGITS):
        number, digit = divmod(number, len(DIGITS))
        digits = DIGITS[digit] + digits
    return digits
