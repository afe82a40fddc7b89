"""The time in an identifier, as a bound for lists: time-ordered ids of a time lie side by side in an index."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_RANDOM_BITS: Final = 80
_CHARACTERS: Final = 26
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"


def ids_from(prefix: str, moment: datetime) -> str:
    """The smallest id that a record made at `moment` or later can have."""
    return _first_id(prefix, moment - _EPOCH)


def ids_until(prefix: str, moment: datetime, *, ahead: timedelta) -> str:
    """Above every id that a record made before `moment` can have, if ids are `ahead` of their records at most."""
    return _first_id(prefix, moment - _EPOCH + ahead + _MILLISECOND - timedelta.resolution)


def _first_id(prefix: str, since_epoch: timedelta) -> str:
    """The first id of a millisecond, which is the upper 48 of the 128 bits (RFC 9562, 5.7); the others are zero."""
    number = max(since_epoch // _MILLISECOND, 0) << _RANDOM_BITS
    digits = (_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_CHARACTERS)))
    return f"{prefix}_{''.join(digits)}"
