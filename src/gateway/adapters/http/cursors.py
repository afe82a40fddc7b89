"""Cursors: the position of the next page of a list, with its filters, signed."""

import base64
from typing import Any, Protocol

import msgspec

from gateway.adapters.http.problems import HttpRefusal


class CursorKeys(Protocol):
    """Signs cursors. Signatures are valid in all processes, also after a change of keys."""

    def sign(self, content: bytes) -> bytes:
        """Return a signature of at most 255 bytes."""
        ...

    def verify(self, content: bytes, signature: bytes) -> bool:
        """Whether one of our keys made the signature of this content."""
        ...


class _Cursor(msgspec.Struct, array_like=True):
    list_name: str
    owner_id: str
    filters: dict[str, Any]
    before: str


class Cursors:
    """Makes and reads cursors: the length of the signature (one byte), the signature, the content; in base64url."""

    def __init__(self, keys: CursorKeys) -> None:
        self._keys = keys
        self._encoder = msgspec.json.Encoder(order="sorted")
        self._decoder = msgspec.json.Decoder(_Cursor)

    def make(self, list_name: str, owner_id: str, filters: dict[str, Any], *, before: str) -> str:
        """A cursor for the items before an id, in this list of this owner, with these filters."""
        return self._signed(self._encoder.encode(_Cursor(list_name, owner_id, filters, before)))

    def read(self, cursor: str, list_name: str, owner_id: str, filters: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The id before which the list continues, and the filters of the cursor.

        Args:
            cursor: From the client.
            list_name: The list of the request; the cursor must be of the same list.
            owner_id: Likewise.
            filters: Likewise, unless the request has none.

        Raises:
            HttpRefusal: `cursor_invalid`: it is not signed by us, or is of another list or owner.
                `cursor_filter_mismatch`: the filters differ.
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
            raise _invalid_cursor() from error
        start = 1 + decoded[0] if decoded else 0
        signature, content = decoded[1:start], decoded[start:]
        # base64 has several spellings of the same bytes: only the canonical one is valid.
        if _encoded(decoded) != cursor or not self._keys.verify(content, signature):
            raise _invalid_cursor()
        return self._decoder.decode(content)

    def _signed(self, content: bytes) -> str:
        signature = self._keys.sign(content)
        return _encoded(bytes([len(signature)]) + signature + content)


def _encoded(decoded: bytes) -> str:
    return base64.urlsafe_b64encode(decoded).rstrip(b"=").decode()


def _invalid_cursor() -> HttpRefusal:
    return HttpRefusal("cursor_invalid", "This is not a cursor of ours.")
