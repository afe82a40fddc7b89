"""What transports do not offer of their sockets."""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Final

UNSENT_BYTES_MAX: Final = 32 * 1024
"""How much of a large response the kernel buffers for which the client has no room yet."""
DISCARD_UNSENT: Final = struct.pack("ii", 1, 0)


def keep_unsent_bytes_few(transport: asyncio.Transport) -> None:
    """Let the kernel take little more than it can send: the rest waits here, where it is shared and seen to shrink."""
    option: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None:
        _set_option(transport, socket.IPPROTO_TCP, option, UNSENT_BYTES_MAX)


def reset(transport: asyncio.Transport) -> None:
    """Abort a connection, and have the kernel forget what the client has not read: it would go on trying to send it."""
    if hasattr(socket, "SO_LINGER"):
        _set_option(transport, socket.SOL_SOCKET, socket.SO_LINGER, DISCARD_UNSENT)
    transport.abort()


def _set_option(transport: asyncio.Transport, level: int, option: int, value: int | bytes) -> None:
    connected: socket.socket | None = transport.get_extra_info("socket")
    if connected is not None:
        with suppress(OSError):  # The client is gone, or it is no connection of TCP.
            connected.setsockopt(level, option, value)
