"""Cursors: where a list goes on, signed, with the filters it was asked with."""

import base64
import hmac
from typing import Any, Final

import msgspec

from gateway.adapters.http.problems import HttpRefusal

SIGNATURE_BYTES: Final = 16


class _Cursor(msgspec.Struct, array_like=True):
    list_name: str
    owner_id: str
    filters: dict[str, Any]
    before: str


class Cursors:
    """Makes and reads cursors. `secret` (≥ 32 bytes) is the same in all processes."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
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
            content = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))[SIGNATURE_BYTES:]
        except ValueError as error:
            raise HttpRefusal("cursor_invalid", "This is not a cursor of ours.") from error
        # The texts are compared, not the bytes behind them: base64 has several spellings of the same bytes.
        if not hmac.compare_digest(cursor.encode(), self._signed(content).encode()):
            raise HttpRefusal("cursor_invalid", "This is not a cursor of ours.")
        return self._decoder.decode(content)

    def _signed(self, content: bytes) -> str:
        signature = hmac.digest(self._secret, b"cursor" + content, "sha256")[:SIGNATURE_BYTES]
        return base64.urlsafe_b64encode(signature + content).rstrip(b"=").decode()
