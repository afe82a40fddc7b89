"""Which connections of programs are in use by units of work: each by one at a time (docs/decisions/0046).

Statements of two would mix, and one that is taken back to its savepoint would take the other's payment with it.
"""

from typing import Final

from gateway.domain.errors import InvalidInput, invalid

_IN_USE: Final[dict[int, object]] = {}
"""Sessions and connections, of all gateways in this process, by their identities."""


class HostConnections:
    """What one unit of work uses: a connection of a driver, and the session that it belongs to."""

    def __init__(self) -> None:
        self._used: list[object] = []

    def use(self, host: object) -> None:
        """Let no other unit of work use it.

        Raises:
            InvalidInput: Another one does.
        """
        if id(host) in _IN_USE:
            detail = "Another execute_in is running on this connection. Await it first, or use another connection."
            raise invalid("connection", "connection_in_use", detail)
        _IN_USE[id(host)] = host
        self._used.append(host)

    def give_back(self) -> None:
        """Let others use all of it."""
        while self._used:
            del _IN_USE[id(self._used.pop())]


def refused(detail: str) -> InvalidInput:
    """The refusal of a connection that cannot be used."""
    return invalid("connection", "value_invalid", detail)
