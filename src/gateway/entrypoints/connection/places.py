"""The bound on connections: the longest idle one gives its place to a new one."""

import sys
from collections import OrderedDict
from enum import Enum, auto
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from uvicorn.server import ServerState

RESERVED_CONNECTIONS: Final = 32
"""Connections beyond the bound that answer health checks, while no other connection is idle."""


class Connection(Protocol):
    """What has a place."""

    transport: Any


class Place(Enum):
    """What a new connection may do."""

    ANY = auto()
    """Send any request."""
    RESERVED = auto()
    """Only ask for the server's health."""
    NONE = auto()
    """Nothing: it is closed."""


class Places:
    """The places of one server.

    Idle is a connection without a request: it waits for one, or the headers have not arrived yet, or it is closing.

    Args:
        connections: The open ones, as uvicorn counts them.
        connections_max: The bound; none when `None`.
    """

    def __init__(self, connections: set[Any], connections_max: int | None) -> None:
        self._connections = connections
        self._connections_max = sys.maxsize if connections_max is None else connections_max
        # In the order in which they became idle. A dict would look through the gaps of removed ones again and again.
        self._idle: OrderedDict[Connection, None] = OrderedDict()

    def enter(self, connection: Connection) -> Place:
        """Count a new connection, which is idle. At the bound, the longest idle one is closed."""
        place = self._place()
        self._connections.add(connection)
        self.idle(connection)
        return place

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        self._idle.pop(connection, None)

    def replace(self, old: Connection, new: Connection) -> None:
        """Another protocol takes over a connection, which is idle from now on."""
        self.leave(old)
        self._connections.add(new)
        self.idle(new)

    def idle(self, connection: Connection) -> None:
        """It has no request from now on."""
        self._idle[connection] = None

    def busy(self, connection: Connection) -> None:
        """It has a request."""
        self._idle.pop(connection, None)

    def _place(self) -> Place:
        if len(self._connections) >= self._connections_max and self._idle:
            oldest, _ = self._idle.popitem(last=False)
            # It counts no more, although the event loop closes it a little later.
            self._connections.discard(oldest)
            oldest.transport.abort()
        count = len(self._connections)
        if count < self._connections_max:
            return Place.ANY
        return Place.RESERVED if count < self._connections_max + RESERVED_CONNECTIONS else Place.NONE


_places: Final[WeakKeyDictionary[ServerState, Places]] = WeakKeyDictionary()


def places_of(server: ServerState, connections_max: int | None) -> Places:
    """The places of a server."""
    places = _places.get(server)
    if places is None:
        places = _places[server] = Places(server.connections, connections_max)
    return places
