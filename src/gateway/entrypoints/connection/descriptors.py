"""How many connections a process may have: fewer than it may have descriptors."""

import sys
from contextlib import suppress
from typing import Final

from gateway.bootstrap.refusal import StartRefused
from gateway.entrypoints.connection.places import RESERVED_CONNECTIONS
from gateway.settings.values import Settings

CONNECTIONS_DEFAULT: Final = 4096
DESCRIPTORS_OF_THE_PROCESS: Final = 128
"""For listening, logs, files of SQLite, and what the event loop and libraries open."""


def raise_descriptor_limit() -> int:
    """Raise the soft limit to the hard one, for this process and its workers.

    Returns:
        The descriptors that a process may have.
    """
    if sys.platform == "win32":
        return sys.maxsize
    import resource  # noqa: PLC0415 - there is none on Windows.

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # macOS has another limit below an unlimited one.
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def connections_max(settings: Settings, descriptors: int) -> int:
    """The bound on connections of one process, so that it never lacks a descriptor for anything else.

    Raises:
        StartRefused: The setting is larger than that.
    """
    others = DESCRIPTORS_OF_THE_PROCESS + RESERVED_CONNECTIONS + _of_databases_and_webhooks(settings)
    room = descriptors - others
    if not settings.connections_max:
        return min(CONNECTIONS_DEFAULT, max(room, descriptors // 4))
    if settings.connections_max > room:
        raise StartRefused(
            f"GATEWAY_CONNECTIONS_MAX={settings.connections_max} needs {settings.connections_max + others} "
            f"descriptors, and this process may have {descriptors}: raise the limit (`ulimit -n`) or lower the setting."
        )
    return settings.connections_max


def _of_databases_and_webhooks(settings: Settings) -> int:
    connections = settings.database_pool_size + settings.database_access_pool_size + settings.write_connections + 1
    if settings.worker_runs_in_serve:
        connections += settings.webhook_connections + settings.webhook_requests_max
    return connections
