"""`gateway health`: does the server or the worker of this host live? For containers and supervisors."""

import asyncio
from contextlib import suppress
from ipaddress import ip_address
from typing import Final, Literal

import click

from gateway.entrypoints.flags import Flags, settings_with
from gateway.entrypoints.heartbeat import SILENT_SECONDS_MAX, heartbeat_file, silent_seconds
from gateway.settings.values import Settings

SECONDS_MAX: Final = 2.0
"""From looking the host up to the first line of the answer."""

LOOPBACK: Final = {4: "127.0.0.1", 6: "::1"}


class NoAnswer(click.ClickException):
    """Nothing listens where a server should, or it does not answer in time."""


def health(asked: Literal["server", "worker"] | None, flags: Flags) -> None:
    """Ask the server or look for the worker; `asked` leaves the other one out."""
    settings = settings_with(flags)
    if asked == "worker":
        click.echo(_worker(settings))
        return
    try:
        click.echo(asyncio.run(_server(settings)))
    except NoAnswer:
        if asked == "server" or silent_seconds(heartbeat_file(settings)) is None:
            raise
        click.echo(_worker(settings))


def address_of(host: str) -> str:
    """Where to ask a server that listens on `host`: one that listens everywhere listens on the loopback interface."""
    with suppress(ValueError):
        address = ip_address(host)
        return LOOPBACK[address.version] if address.is_unspecified else host
    return host


async def _server(settings: Settings) -> str:
    host, port, path = address_of(settings.host), settings.port, f"{settings.root_path}/health/live"
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    url = f"http://{authority}{path}"
    try:
        async with asyncio.timeout(SECONDS_MAX):
            status = await _status(host, port, f"GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n")
    except (OSError, ValueError) as error:  # `TimeoutError` is an `OSError`; a line without end is a `ValueError`.
        reason = f"no answer within {SECONDS_MAX:g} s" if isinstance(error, TimeoutError) else str(error)
        raise NoAnswer(f"Nothing answers at {url}: {reason}.") from error
    if status != "200":
        raise click.ClickException(f"The server at {url} is not well: it answered {status or 'no status'}.")
    return f"The server at {url} lives."


async def _status(host: str, port: int, request: str) -> str:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request.encode())
        await writer.drain()
        _, _, rest = (await reader.readline()).decode("latin-1").partition(" ")
        return rest[:3]
    finally:
        writer.close()


def _worker(settings: Settings) -> str:
    file = heartbeat_file(settings)
    silent = silent_seconds(file)
    if silent is None:
        raise click.ClickException(f"No worker of this host has left a sign of life: {file} is missing.")
    if silent > SILENT_SECONDS_MAX:
        raise click.ClickException(f"The worker has left no sign of life for {silent:.0f} s: {file}.")
    return "The worker lives."
