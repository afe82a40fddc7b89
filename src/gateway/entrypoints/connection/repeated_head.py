"""Heads that repeat: a client sends the same header fields in the same order, with other values.

The parser calls back for each field of a head. A regular expression that is made of one head reads the next ones like
it in a single call. It matches only what the parser would accept, and read as the same fields.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from gateway.adapters.http.messages import Header

VALUE: Final = rb"((?! )[\x20-\x7e]*(?<! ))"
"""Visible ASCII characters and spaces, without spaces around them, which the parser would leave out."""
LENGTH: Final = rb"([1-9][0-9]{0,5})"
"""A length as clients write it. With it the parser finds the end of the body."""
FIXED: Final = frozenset({b"connection"})
"""Fields whose values the parser acts upon: they repeat, too."""
CACHED_MAX: Final = 256
"""How many patterns a process keeps: one for each order of fields, of all connections."""


class RepeatedHead:
    """What heads like one that was parsed have in common.

    Args:
        line: The request line, without its end.
        fields: The names and values of the parsed head, as they were sent.
    """

    __slots__ = ("_length", "_match", "_names")

    def __init__(self, line: bytes, fields: Sequence[Header]) -> None:
        patterns = [re.escape(line)]
        self._names = [name.lower() for name, _ in fields]
        self._length = self._names.index(b"content-length")
        for (name, value), lower in zip(fields, self._names, strict=True):
            pattern = LENGTH if lower == b"content-length" else b"(%b)" % re.escape(value) if lower in FIXED else VALUE
            patterns.append(b"%b: %b" % (re.escape(name), pattern))
        self._match = re.compile(b"\r\n".join([*patterns, b"\r\n"])).match

    def read(self, data: bytes) -> tuple[list[Header], bytes] | None:
        """The header fields and the body of a request, if `data` is exactly one request with such a head."""
        match = self._match(data)
        if match is None:
            return None
        values = match.groups()
        body = data[match.end() :]
        if int(values[self._length]) != len(body):
            return None
        return list(zip(self._names, values, strict=True)), body


def repeated_head(data: bytes, line: bytes, names: Sequence[bytes], body: bytes) -> RepeatedHead | None:
    """What the head of a parsed request has in common with others like it.

    Args:
        data: What the parser was given at once.
        line: The request line of the head, without its end.
        names: Of its header fields, in lower case, as the parser found them. `Content-Length` is one of them.
        body: As the parser found it.

    Returns:
        `None` if `data` has more than this request, or its fields are written in an unusual way.
    """
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    if first != line or rest != body:
        return None
    fields: list[Header] = []
    for written in lines:
        name, _, value = written.partition(b": ")
        fields.append((name, value if name.lower() in FIXED else b""))
    if [name.lower() for name, _ in fields] != names:
        return None
    return _cached(line, tuple(fields))


@lru_cache(maxsize=CACHED_MAX)
def _cached(line: bytes, fields: tuple[Header, ...]) -> RepeatedHead:
    """Compiling takes as long as a payment."""
    return RepeatedHead(line, fields)
