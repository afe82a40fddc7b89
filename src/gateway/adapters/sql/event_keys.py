"""Bloom filters over the keys of events: a block of events that has none of the wanted keys need not be read.

Source: Bloom, "Space/Time Trade-offs in Hash Coding with Allowable Errors" (CACM 1970). The bits of a key come from two
hashes, as in Kirsch and Mitzenmacher, "Less Hashing, Same Performance" (ESA 2006).
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

FILTER_BYTES: Final = 768
BITS_PER_KEY: Final = 6
"""A block of 128 events has some 390 keys at most: 16 bits for each. One filter of 1,000 has a key by mistake."""

_BITS: Final = FILTER_BYTES * 8
_HASH_BYTES: Final = 8


def bits_of(key: str) -> list[int]:
    """The numbers of the bits that a key sets."""
    digest = blake2b(key.encode(), digest_size=2 * _HASH_BYTES).digest()
    first = int.from_bytes(digest[:_HASH_BYTES], "big")
    step = int.from_bytes(digest[_HASH_BYTES:], "big") | 1
    return [(first + number * step) % _BITS for number in range(BITS_PER_KEY)]


def filter_of(keys: Iterable[str]) -> bytes:
    """The filter of a set of keys."""
    content = bytearray(FILTER_BYTES)
    for key in keys:
        for bit in bits_of(key):
            content[bit >> 3] |= 1 << (bit & 7)
    return bytes(content)


def get_bit(content: bytes, number: int) -> int:
    """A bit of a filter, numbered as by the function of Postgres; SQLite calls this one."""
    return content[number >> 3] >> (number & 7) & 1
