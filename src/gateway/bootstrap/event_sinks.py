"""Event sinks: the relay to NATS JetStream, if the settings name a server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Final

from gateway.application.events.relay import EventRelay, FirstEvent, RelayLimits
from gateway.application.gateway import Gateway
from gateway.bootstrap.refusal import StartRefused
from gateway.settings.values import Settings

NATS: Final = "nats"
"""The name of the sink on NATS: of its cursor, and in the log."""

_MODULES: Final = ("nats", "nkeys")
"""What the extra `gateway[nats]` installs."""


@asynccontextmanager
async def open_relay(gateway: Gateway, settings: Settings) -> AsyncGenerator[EventRelay | None]:
    """The relay to NATS JetStream; `None` if the settings name no server. It connects when it first publishes.

    Raises:
        StartRefused: The NATS client is not installed, or a file cannot be used.
    """
    if not settings.events_nats_url:
        yield None
        return
    if not all(map(find_spec, _MODULES)):
        raise StartRefused(
            "GATEWAY_EVENTS_NATS_URL is set, but the NATS client is not installed. Run: pip install 'gateway[nats]'"
        )
    from gateway.bootstrap.nats_sink import open_sink  # noqa: PLC0415 - it needs the extra.

    async with open_sink(settings) as sink:
        yield EventRelay(
            name=NATS,
            sink=sink,
            feed=gateway.storage.events,
            cursors=gateway.storage.event_cursors,
            commits=gateway.events.commits,
            first_event=FirstEvent(settings.events_nats_first_event),
            limits=RelayLimits(
                group_size=settings.events_nats_group_size,
                takeover_seconds=settings.events_nats_takeover_seconds,
            ),
        )
