"""`gateway health`: does the server or the worker of this host live? For containers and supervisors."""

import asyncio
from contextlib import suppress
from ipaddress import ip_address
from typing import Final, Literal, NamedTuple, Self

import click
import msgspec

from gateway.entrypoints.flags import Flags, settings_with
from gateway.entrypoints.heartbeat import SILENT_SECONDS_MAX, heartbeat_file, silent_seconds
from gateway.entrypoints.worker_health import ReadyView
from gateway.settings.values import Settings

SECONDS_MAX: Final = 2.0
"""From looking the host up to the end of the answer."""
ANSWER_BYTES_MAX: Final = 8_192

LOOPBACK: Final = {4: "127.0.0.1", 6: "::1"}


class NoAnswer(click.ClickException):
    """Nothing listens where a server should, or it does not answer in time."""


def health(asked: Literal["server", "worker"] | None, flags: Flags) -> None:
    """Ask the server or look for the worker; `asked` leaves the other one out."""
    settings = settings_with(flags)
    if asked == "worker":
        click.echo(asyncio.run(_worker(settings)))
        return
    try:
        click.echo(asyncio.run(_server(settings)))
    except NoAnswer:
        if asked == "server" or silent_seconds(heartbeat_file(settings)) is None:
            raise
        click.echo(asyncio.run(_worker(settings)))


class Where(NamedTuple):
    """Where something answers HTTP."""

    host: str
    port: int
    path: str

    @classmethod
    def of(cls, host: str, port: int, path: str) -> Self:
        """Where to ask what listens on `host`."""
        return cls(address_of(host), port, path)

    @property
    def authority(self) -> str:
        """The host and the port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL."""
        return f"http://{self.authority}{self.path}"


class Answer(NamedTuple):
    """The three digits of a status, and the body of a 200."""

    status: str
    body: bytes


def address_of(host: str) -> str:
    """Where to ask a server that listens on `host`: one that listens everywhere listens on the loopback interface."""
    with suppress(ValueError):
        address = ip_address(host)
        return LOOPBACK[address.version] if address.is_unspecified else host
    return host


async def _server(settings: Settings) -> str:
    where = Where.of(settings.host, settings.port, f"{settings.root_path}/health/live")
    answer = await _asked(where)
    if answer.status != "200":
        raise click.ClickException(
            f"The server at {where.url} is not well: it answered {answer.status or 'no status'}."
        )
    return f"The server at {where.url} lives."


async def _worker(settings: Settings) -> str:
    file = heartbeat_file(settings)
    silent = silent_seconds(file)
    if silent is None:
        raise click.ClickException(f"No worker of this host has left a sign of life: {file} is missing.")
    if silent > SILENT_SECONDS_MAX:
        raise click.ClickException(f"The worker has left no sign of life for {silent:.0f} s: {file}.")
    if not settings.worker_health_port:
        return "The worker lives."
    where = Where.of(settings.host, settings.worker_health_port, "/health/ready")
    answer = await _asked(where, with_body=True)
    if answer.status != "200":
        raise click.ClickException(
            f"The worker at {where.url} is not well: it answered {answer.status or 'no status'}."
        )
    ready = msgspec.json.decode(answer.body, type=ReadyView)
    told = (
        f"The worker lives. Events not looked at: {ready.feed_lag}. Deliveries waiting: {ready.deliveries_waiting}, "
        f"the oldest for {ready.oldest_delivery_seconds:.0f} s; in flight: {ready.deliveries_in_flight}."
    )
    if ready.event_sink is None:
        return told
    cause = f" ({ready.event_sink.cause})" if ready.event_sink.cause else ""
    return f"{told} Events not published: {ready.event_sink.lag}{cause}."


async def _asked(where: Where, *, with_body: bool = False) -> Answer:
    try:
        async with asyncio.timeout(SECONDS_MAX):
            return await _answer(where, with_body=with_body)
    except (OSError, ValueError) as error:  # `TimeoutError` is an `OSError`; a line without end is a `ValueError`.
        reason = f"no answer within {SECONDS_MAX:g} s" if isinstance(error, TimeoutError) else str(error)
        raise NoAnswer(f"Nothing answers at {where.url}: {reason}.") from error


async def _answer(where: Where, *, with_body: bool) -> Answer:
    reader, writer = await asyncio.open_connection(where.host, where.port)
    try:
        writer.write(f"GET {where.path} HTTP/1.1\r\nHost: {where.authority}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        _, _, rest = (await reader.readline()).decode("latin-1").partition(" ")
        status = rest[:3]
        return Answer(status, await _body(reader) if with_body and status == "200" else b"")
    finally:
        writer.close()


async def _body(reader: asyncio.StreamReader) -> bytes:
    """What follows the headers, up to the end of the connection."""
    read = b""
    while len(read) < ANSWER_BYTES_MAX and (chunk := await reader.read(ANSWER_BYTES_MAX)):
        read += chunk
    return read.partition(b"\r\n\r\n")[2]
