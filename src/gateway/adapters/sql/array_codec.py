"""Arrays as units of work send them to Postgres: in its binary format, made by a codec of our own.

asyncpg asks of each element whether it is an array itself, and calls an encoder for it. Here functions of C encode a
whole column, and elements of one length, such as ids, are joined in one call.
"""

import logging
from collections.abc import Callable, Sequence
from struct import Struct
from struct import error as StructError  # noqa: N812 - errors have names of classes.
from typing import Any, Final, NamedTuple, TypeVar

logger = logging.getLogger(__name__)

Element = TypeVar("Element")

HEADER: Final = Struct(">iiIii").pack
"""The number of dimensions, flags, the type of the elements, their number, and the index of the first one."""
LENGTH: Final = Struct(">i").pack
"""The bytes of an element, before it."""
INTEGER: Final = Struct(">q").pack
NULL: Final = LENGTH(-1)


class ArrayType(NamedTuple):
    """A type of Postgres, by its fixed ids in `pg_type`, with the encoder of its elements."""

    name: str
    oid: int
    oid_of_elements: int
    encode: Callable[[Any], bytes]


TEXTS: Final = ArrayType("text[]", 1009, 25, str.encode)
INTEGERS: Final = ArrayType("bigint[]", 1016, 20, INTEGER)
BYTES: Final = ArrayType("bytea[]", 1001, 17, bytes.__bytes__)


def encoded_array(of: ArrayType, values: Sequence[Element | None]) -> bytes:
    """An array of one dimension in the binary format of Postgres.

    Raises:
        TypeError, struct.error, UnicodeEncodeError: A value is of another type, or cannot be stored.
    """
    header = HEADER(1, 0, of.oid_of_elements, len(values), 1)
    try:
        elements = [*map(of.encode, values)]
    except (TypeError, StructError):
        return header + b"".join([NULL if value is None else _with_length(of.encode(value)) for value in values])
    lengths = [*map(len, elements)]
    if lengths.count(lengths[0] if lengths else 0) == len(lengths):
        before = LENGTH(lengths[0]) if lengths else b""
        return before.join([header, *elements])
    parts = [header] * (2 * len(elements) + 1)
    parts[1::2] = map(LENGTH, lengths)
    parts[2::2] = elements
    return b"".join(parts)


def use_own_codec(connection: Any) -> bool:
    """Have a connection of asyncpg encode arrays of texts, integers and bytes by `encoded_array`.

    asyncpg has no public way to do so: it takes codecs of scalars and composites only. If its private one has changed,
    it goes on encoding arrays itself, more slowly.

    Returns:
        Whether the connection has the codec.
    """
    try:
        add_codec = connection._protocol.get_settings().add_python_codec  # noqa: SLF001 - as above.
        for of in (TEXTS, INTEGERS, BYTES):
            add_codec(of.oid, of.name, "pg_catalog", (), "scalar", _encoder(of), _unread, "binary")
    except (AttributeError, TypeError):
        logger.warning("array_codec_unavailable")
        return False
    return True


def _encoder(of: ArrayType) -> Callable[[Sequence[Any]], bytes]:
    return lambda values: encoded_array(of, values)


def _unread(data: bytes) -> Sequence[Any]:
    raise TypeError(f"No statement of a unit of work returns an array: {data!r}")


def _with_length(element: bytes) -> bytes:
    return LENGTH(len(element)) + element
