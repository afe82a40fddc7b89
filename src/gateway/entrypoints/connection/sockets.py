"""Options of sockets."""

import asyncio
import socket
from contextlib import suppress


def keep_unsent_bytes_few(transport: asyncio.BaseTransport, bytes_max: int) -> None:
    """Let the kernel take little more than it can send: the rest waits here, where it is shared and seen to shrink."""
    option: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    connected: socket.socket | None = transport.get_extra_info("socket")
    if option is not None and connected is not None and connected.family in {socket.AF_INET, socket.AF_INET6}:
        with suppress(OSError):  # The client may be gone.
            connected.setsockopt(socket.IPPROTO_TCP, option, bytes_max)
