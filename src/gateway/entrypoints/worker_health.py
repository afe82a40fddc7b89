"""The worker's health over HTTP: `/health/live` and `/health/ready`, for supervisors that ask over the network."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import Final, Literal, NamedTuple

import msgspec

from gateway.application.gateway import Gateway
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.bootstrap.jobs import Worker
from gateway.bootstrap.refusal import StartRefused
from gateway.settings.values import Settings

SECONDS_MAX: Final = 2.0
"""How long a request may take to arrive, and how long its answer may take."""
REQUEST_BYTES_MAX: Final = 8_192
"""The length of a line of a request."""
REQUEST_LINES_MAX: Final = 100

_encoder = msgspec.json.Encoder()


class LiveView(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life."""

    status: Literal["ok"] = "ok"


class SinkView(msgspec.Struct, frozen=True, kw_only=True):
    """How the event sink is. As `RelayStatus`."""

    lag: int
    active: bool
    cause: str


class ReadyView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the worker can work, and what waits for it. As `DispatcherStatus`; no `event_sink` without a sink."""

    status: Literal["ok"] = "ok"
    feed_lag: int
    oldest_delivery_seconds: float
    deliveries_waiting: int
    deliveries_in_flight: int
    event_sink: SinkView | None


class UnavailableView(msgspec.Struct, frozen=True, kw_only=True):
    """Why the worker cannot work."""

    status: Literal["unavailable"] = "unavailable"
    detail: str


class Answer(NamedTuple):
    """The answer to a request."""

    status: HTTPStatus
    view: msgspec.Struct


@asynccontextmanager
async def answering_health(settings: Settings, gateway: Gateway, worker: Worker) -> AsyncGenerator[None]:
    """Answer requests meanwhile, if the settings name a port.

    Raises:
        StartRefused: The port cannot be listened on.
    """
    if not settings.worker_health_port:
        yield
        return
    try:
        server = await asyncio.start_server(
            partial(_serve, gateway, worker), settings.host, settings.worker_health_port, limit=REQUEST_BYTES_MAX
        )
    except OSError as error:
        raise StartRefused(f"GATEWAY_WORKER_HEALTH_PORT: {error.strerror or error}.") from error
    try:
        yield
    finally:
        server.close()


async def _serve(gateway: Gateway, worker: Worker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # A client that goes away, is silent, or does not speak HTTP gets no answer.
    with suppress(OSError, ValueError):
        async with asyncio.timeout(SECONDS_MAX):
            request = await reader.readline()
            for _ in range(REQUEST_LINES_MAX):
                if not (await reader.readline()).strip():
                    break
        status, view = await _answer(request, gateway, worker)
        body = _encoder.encode(view)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode() + (b"" if request.startswith(b"HEAD ") else body))
        async with asyncio.timeout(SECONDS_MAX):
            await writer.drain()
    writer.close()


async def _answer(request: bytes, gateway: Gateway, worker: Worker) -> Answer:
    method, path, *_ = [*request.decode("latin-1").split(), "", ""]
    if method not in {"GET", "HEAD"}:
        return Answer(HTTPStatus.METHOD_NOT_ALLOWED, UnavailableView(detail="Ask with GET."))
    match path.partition("?")[0]:
        case "/health/live":
            return Answer(HTTPStatus.OK, LiveView())
        case "/health/ready":
            return await _ready(gateway, worker)
        case _:
            return Answer(HTTPStatus.NOT_FOUND, UnavailableView(detail="Ask for /health/live or /health/ready."))


async def _ready(gateway: Gateway, worker: Worker) -> Answer:
    if failed := worker.jobs.failed:
        detail = f"Jobs have failed, and are run again soon: {', '.join(failed)}. The log tells why."
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, UnavailableView(detail=detail))
    try:
        async with asyncio.timeout(SECONDS_MAX):
            await gateway.storage.reader.check()
            status = await worker.dispatcher.status()
            sink = None if worker.relay is None else await worker.relay.status()
    except (StorageUnavailable, TimeoutError):
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, UnavailableView(detail="The storage does not answer."))
    return Answer(
        HTTPStatus.OK,
        ReadyView(
            feed_lag=status.feed_lag,
            oldest_delivery_seconds=round(status.oldest_delivery_seconds, 3),
            deliveries_waiting=status.deliveries_waiting,
            deliveries_in_flight=status.deliveries_in_flight,
            event_sink=None if sink is None else SinkView(lag=sink.feed_lag, active=sink.active, cause=sink.cause),
        ),
    )
