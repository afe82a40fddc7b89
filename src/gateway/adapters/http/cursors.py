"""Cursors: where a list goes on, signed, with the filters it was asked with."""

import base64
from typing import Any, Protocol

import msgspec

from gateway.adapters.http.problems import HttpRefusal


class CursorKeys(Protocol):
    """Signs cursors, so that they are known again in all processes, also after a change of keys."""

    def sign(self, content: bytes) -> bytes:
        """Return a signature of at most 255 bytes."""
        ...

    def verify(self, content: bytes, signature: bytes) -> bool:
        """Whether the signature is of this content, and ours."""
        ...


class _Cursor(msgspec.Struct, array_like=True):
    list_name: str
    owner_id: str
    filters: dict[str, Any]
    before: str


class Cursors:
    """Makes and reads cursors: the length of a signature (a byte), the signature, what it signs; all as base64url."""

    def __init__(self, keys: CursorKeys) -> None:
        self._keys = keys
        self._encoder = msgspec.json.Encoder(order="sorted")
        self._decoder = msgspec.json.Decoder(_Cursor)

    def make(self, list_name: str, owner_id: str, filters: dict[str, Any], *, before: str) -> str:
        """A cursor for what is older than `before`, in this list, of this owner, with these filters."""
        return self._signed(self._encoder.encode(_Cursor(list_name, owner_id, filters, before)))

    def read(self, cursor: str, list_name: str, owner_id: str, filters: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Where the list goes on, and with which filters. Without any of their own, the cursor's are used.

        Raises:
            HttpRefusal: `cursor_invalid`: not one of ours, or of another list or owner. `cursor_filter_mismatch`: used
                with other filters.
        """
        content = self._verified(cursor)
        if content.list_name != list_name or content.owner_id != owner_id:
            raise HttpRefusal("cursor_invalid", "This cursor belongs to another list.")
        if filters and msgspec.to_builtins(filters) != content.filters:
            raise HttpRefusal("cursor_filter_mismatch", "This cursor was given for other filters.")
        return content.before, content.filters

    def _verified(self, cursor: str) -> _Cursor:
        try:
            decoded = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError as error:
            raise _not_ours() from error
        start = 1 + decoded[0] if decoded else 0
        signature, content = decoded[1:start], decoded[start:]
        # base64 has several spellings of the same bytes: only ours is taken.
        if _encoded(decoded) != cursor or not self._keys.verify(content, signature):
            raise _not_ours()
        return self._decoder.decode(content)

    def _signed(self, content: bytes) -> str:
        signature = self._keys.sign(content)
        return _encoded(bytes([len(signature)]) + signature + content)


def _encoded(decoded: bytes) -> str:
    return base64.urlsafe_b64encode(decoded).rstrip(b"=").decode()


def _not_ours() -> HttpRefusal:
    return HttpRefusal("cursor_invalid", "This is not a cursor of ours.")
