"""The write deadline: a client that does not read what waits for it loses its connection."""

import asyncio

from gateway.entrypoints.connection.limits import ConnectionLimits
from gateway.entrypoints.connection.sockets import reset


class WriteDeadline:
    """Aborts a connection whose client reads too little in a period.

    Args:
        transport: Of the connection.
        limits: The period, and how much the client has to read in it.
    """

    def __init__(self, transport: asyncio.Transport, limits: ConnectionLimits) -> None:
        self._transport = transport
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = 0

    def start(self) -> None:
        """Begin a period, unless one runs or nothing waits."""
        if self._timer is None and (waiting := self._transport.get_write_buffer_size()):
            self._waiting = waiting
            self._timer = self._loop.call_later(self._limits.write_seconds, self._check)

    def stop(self) -> None:
        """End the period: the client has read."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        self._timer = None
        waiting = self._transport.get_write_buffer_size()
        if waiting and self._waiting - waiting < self._limits.write_bytes_min:
            reset(self._transport)
        else:
            self.start()
