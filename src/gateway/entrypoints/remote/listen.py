"""`gateway webhooks listen`: an endpoint of a running sandbox on this machine, for as long as the command runs."""

import asyncio
import signal
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

import click

from gateway.entrypoints.called_as import called_as
from gateway.entrypoints.remote import DEFAULT_URL
from gateway.entrypoints.remote.event_lines import event_line
from gateway.entrypoints.remote.gateway import Json, NoAnswer, Refused, RemoteGateway, open_remote
from gateway.entrypoints.remote.receiver import HOST, Arrival, Receiver, listening, serving
from gateway.entrypoints.remote.sign_in import SignedIn, SignIn, make_up, sign_in_at
from gateway.entrypoints.remote.urls import http_url
from gateway.settings.database_url import without_password
from gateway.settings.loopback import is_loopback

DESCRIPTION: Final = "gateway webhooks listen"
"""The description of the endpoints of this command, by which it finds those that it could not delete."""
ANY_HOST: Final = "0.0.0.0"  # noqa: S104 - compared, not bound.
"""Connections to it reach the loopback interface."""
CURRENCY: Final = "USD"
LIST_LIMIT: Final = 100
NOT_FOUND: Final = 404
SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def listen(url: str, *, port: int, events: Sequence[str], forward_to: str | None, sign_in: SignIn | None) -> None:
    """Receive the webhooks of a merchant, or of everybody for an operator, until SIGTERM or Ctrl-C."""
    must_be_elsewhere(forward_to, port)
    with listening(port) as listener:
        asyncio.run(_Listener(url, events, forward_to, sign_in).listen(listener))


def must_be_elsewhere(forward_to: str | None, port: int) -> None:
    """Check where webhooks are forwarded.

    Raises:
        UsageError: It is no URL of HTTP, or this command's own.
    """
    if forward_to is None:
        return
    target = http_url(forward_to, "HTTP", example="http://127.0.0.1:3000/webhooks")
    if (is_loopback(target.host) or target.host == ANY_HOST) and target.port == port:
        raise click.UsageError(f"{without_password(forward_to)} is where this command itself listens.")


class Lines:
    """Prints lines. When they cannot be printed, nobody reads any longer or the disk is full, and the command ends.

    Attributes:
        lost: Why they cannot be printed.
    """

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self.lost: OSError | None = None

    def tell(self, line: str) -> None:
        """Print a line, or end as with Ctrl-C."""
        try:
            click.echo(line)
        except OSError as error:
            self.lost = error
            self._stop.set()


class _Listener:
    def __init__(self, url: str, events: Sequence[str], forward_to: str | None, sign_in: SignIn | None) -> None:
        self._url = url
        self._events = list(events)
        self._sign_in = sign_in
        self._stop = asyncio.Event()
        self._lines = Lines(self._stop)
        self._receiver = Receiver(forward_to=forward_to, tell=self._tell_arrival)

    async def listen(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._stop.set)
        receive_at = f"http://{HOST}:{listener.getsockname()[1]}/"
        async with open_remote(self._url) as remote:
            await remote.must_be_sandbox()
            async with serving(self._receiver, listener):
                owner = await self._owner(remote)
                async with registered(owner, receive_at, self._events) as endpoint:
                    self._receiver.know_secret(endpoint["secret"])
                    self._receiver.about |= about(owner, endpoint)
                    self._lines.tell(welcome(owner, endpoint))
                    await self._stop.wait()
        if self._lines.lost is not None:
            raise self._lines.lost

    async def _owner(self, remote: RemoteGateway) -> SignedIn:
        if self._sign_in is not None:
            return await sign_in_at(remote, self._sign_in)
        return await make_up(remote, "merchant", name="listener", currency=CURRENCY)

    def _tell_arrival(self, arrival: Arrival) -> None:
        if arrival.event is None:
            self._lines.tell(f"{datetime.now().astimezone():%H:%M:%S}  {arrival.outcome}")
        else:
            self._lines.tell(f"{event_line(arrival.event)}  {arrival.outcome}")


@asynccontextmanager
async def registered(owner: SignedIn, receive_at: str, events: Sequence[str]) -> AsyncGenerator[Json]:
    """A webhook endpoint, which is deleted at the end.

    Raises:
        NoAnswer, Refused: As `RemoteGateway.ask`.
        ClickException: The endpoint could not be deleted.
    """
    await _delete_left_behind(owner, receive_at)
    body: Json = {"url": receive_at, "events": list(events), "description": DESCRIPTION}
    endpoint = await owner.ask("POST", "/webhook-endpoints", body)
    try:
        yield endpoint
    finally:
        try:
            await _delete(owner, endpoint["id"])
        except (NoAnswer, Refused) as error:
            left = f"The endpoint {endpoint['id']} could not be deleted and stays."
            raise click.ClickException(f"{left} {error.message}") from error


async def _delete_left_behind(owner: SignedIn, receive_at: str) -> None:
    """Delete endpoints that an earlier run had no time to delete: their secrets are lost."""
    listed = await owner.ask("GET", f"/webhook-endpoints?limit={LIST_LIMIT}")
    for endpoint in listed["data"]:
        if endpoint["url"] == receive_at and endpoint["description"] == DESCRIPTION:
            await _delete(owner, endpoint["id"])


async def _delete(owner: SignedIn, endpoint_id: str) -> None:
    try:
        await owner.ask("DELETE", f"/webhook-endpoints/{endpoint_id}")
    except Refused as refused:
        if refused.status != NOT_FOUND:
            raise


def about(owner: SignedIn, endpoint: Json) -> Json:
    """What the receiver tells scripts: whom to pay so that a webhook arrives."""
    merchant_id = owner.id if owner.user["role"] == "merchant" else None
    return {"merchant_id": merchant_id, "endpoint_id": endpoint["id"], "events": endpoint["events"]}


def welcome(owner: SignedIn, endpoint: Json) -> str:
    """What the command does, and how to make an event from another terminal."""
    lines = [
        f"Listening on {endpoint['url']} for {', '.join(endpoint['events'])} until Ctrl-C.",
        f"Secret: {endpoint['secret']}",
    ]
    if owner.user["role"] != "merchant":
        return "\n".join([*lines, "The events are those of all merchants."])
    lines.append(f"Merchant: {owner.id}, {owner.user['email']}{_made_up_password(owner)}")
    elsewhere = "" if owner.remote.url == DEFAULT_URL else f" --url {owner.remote.url}"
    lines.append(f"Pay it: {called_as()} trigger payment.captured --merchant-id {owner.id}{elsewhere}")
    return "\n".join(lines)


def _made_up_password(owner: SignedIn) -> str:
    """The password of a merchant that this command has made up: nobody else knows it."""
    return f", password {owner.password}" if owner.password else ""
