"""The event sink on NATS JetStream, as the settings say. Importing this module needs the extra `gateway[nats]`."""

import ssl
from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Final

from gateway.adapters.nats.options import (
    NatsOptions,
    NatsRefused,
    StreamOptions,
    add_certificate,
    check_credentials,
    tls_context,
)
from gateway.adapters.nats.sink import open_nats_sink
from gateway.application.ports.event_sink import EventSink
from gateway.bootstrap.refusal import StartRefused
from gateway.settings.values import Settings

_SECONDS_OF_A_DAY: Final = 86_400


def open_sink(settings: Settings) -> AbstractAsyncContextManager[EventSink]:
    """The sink, until the end of the `async with`.

    Raises:
        StartRefused: A file cannot be used.
    """
    return open_nats_sink(options(settings))


def options(settings: Settings) -> NatsOptions:
    """The options of the sink.

    Raises:
        StartRefused: A file cannot be used.
    """
    return NatsOptions(
        servers=tuple(url.strip() for url in settings.events_nats_url.split(",")),
        stream=StreamOptions(
            name=settings.events_nats_stream,
            create=settings.events_nats_create_stream,
            duplicate_window_seconds=settings.events_nats_duplicate_window_seconds,
            keep_seconds=settings.events_nats_keep_days * _SECONDS_OF_A_DAY,
            replicas=settings.events_nats_replicas,
        ),
        subject=settings.events_nats_subject,
        source=settings.events_nats_source,
        credentials_file=_credentials_file(settings),
        tls=_tls(settings),
    )


def _credentials_file(settings: Settings) -> Path | None:
    if not settings.events_nats_credentials_file:
        return None
    file = Path(settings.events_nats_credentials_file)
    with _refused("credentials_file"):
        check_credentials(file)
    return file


def _tls(settings: Settings) -> ssl.SSLContext | None:
    authorities, certificate = settings.events_nats_ca_file, settings.events_nats_certificate_file
    if not authorities and not certificate:
        return None
    with _refused("ca_file"):
        context = tls_context(authorities)
    if certificate:
        with _refused("certificate_file"):
            add_certificate(context, certificate, settings.events_nats_key_file)
    return context


@contextmanager
def _refused(setting: str) -> Generator[None]:
    try:
        yield
    except NatsRefused as refused:
        raise StartRefused(f"GATEWAY_EVENTS_NATS_{setting.upper()}: {refused}") from refused
