"""`gateway events tail`: the events of a running gateway, as they happen."""

import asyncio
import json
import random
import signal
from collections.abc import AsyncGenerator
from typing import Final

import click
import httpx
from httpx_sse import EventSource, ServerSentEvent

from gateway.entrypoints.remote.event_lines import event_line
from gateway.entrypoints.remote.gateway import TIMEOUT_SECONDS, Json, NoAnswer, Refused, open_remote
from gateway.entrypoints.remote.sign_in import SignedIn, SignIn, sign_in_at

SILENCE_SECONDS_MAX: Final = 45.0
"""The gateway sends something every 15 s: after so long a connection is taken for dead."""
PAUSE_SECONDS_MIN: Final = 0.25
PAUSE_SECONDS_MAX: Final = 10.0
RETRIED: Final = frozenset({429, 500, 502, 503, 504})
OK: Final = 200
PATH: Final = "/events/stream"


def tail(url: str, *, kind: str | None, after: int | None, as_json: bool, sign_in: SignIn) -> None:
    """Print events until SIGTERM or Ctrl-C."""
    asyncio.run(_tail(url, kind, after, sign_in, as_json=as_json))


async def _tail(url: str, kind: str | None, after: int | None, sign_in: SignIn, *, as_json: bool) -> None:
    printing = asyncio.create_task(_print(url, kind, after, sign_in, as_json=as_json), name="tail")
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, printing.cancel)
    try:
        await printing
    except asyncio.CancelledError:
        if not printing.cancelled():
            raise


async def _print(url: str, kind: str | None, after: int | None, sign_in: SignIn, *, as_json: bool) -> None:
    async with open_remote(url) as remote:
        reader = await sign_in_at(remote, sign_in)
        start = await _newest_position(reader) if after is None else after
        async for message in Stream(reader, kind, start).follow():
            event: Json = json.loads(message.data)
            click.echo(message.data if as_json else f"{event_line(event)}  position {event['position']}")


async def _newest_position(reader: SignedIn) -> int:
    """The position of the newest event that the reader may see: a lost connection begins again there, not later."""
    newest = (await reader.ask("GET", "/events?limit=1"))["data"]
    return newest[0]["position"] if newest else 0


class Stream:
    """The events of a reader after a position, over as many connections as it takes.

    Args:
        reader: Who asks.
        kind: The types: exact ones, or `payment.*`. `None` for all.
        after: The position of the last event that was seen; 0 for none.
    """

    def __init__(self, reader: SignedIn, kind: str | None, after: int) -> None:
        self._reader = reader
        self._kind = kind
        self._last = after
        self._was_connected = False
        self._reason = ""
        self._pause = PAUSE_SECONDS_MIN

    async def follow(self) -> AsyncGenerator[ServerSentEvent]:
        """Messages with an event, for ever. A lost connection is opened again after the last event.

        Standard error says why a connection was lost, once for each reason until there is a connection again.

        Raises:
            NoAnswer: Nothing answers, and nothing has answered before.
            Refused: The gateway refuses the stream.
        """
        while True:
            try:
                async for message in self._messages():
                    yield message
                reason = ""
            except httpx.HTTPError as error:
                reason = self._lost(self._reader.remote.no_answer(error))
            except NoAnswer as error:
                reason = self._lost(error)
            except Refused as refused:
                reason = "" if await self._renewed(refused) else refused.message
            if reason and reason != self._reason:
                self._reason = reason
                click.echo(f"Connecting again after position {self._last}: {reason}", err=True)
            await asyncio.sleep(self._pause * random.uniform(0.5, 1))  # noqa: S311 - readers come back at other times.
            self._pause = min(2 * self._pause, PAUSE_SECONDS_MAX)

    async def _messages(self) -> AsyncGenerator[ServerSentEvent]:
        """The messages of one connection that have an event."""
        headers = {
            "Accept": "text/event-stream",
            "Authorization": f"Bearer {self._reader.token}",
            "Cache-Control": "no-store",
            "Last-Event-ID": str(self._last),
        }
        remote = self._reader.remote
        timeout = httpx.Timeout(TIMEOUT_SECONDS, read=SILENCE_SECONDS_MAX)
        params = {} if self._kind is None else {"type": self._kind}
        async with remote.client.stream("GET", PATH, params=params, headers=headers, timeout=timeout) as response:
            if response.status_code != OK:
                await response.aread()
                remote.content(f"GET {PATH}", response)
            self._was_connected, self._reason = True, ""
            async for message in EventSource(response).aiter_sse():
                if message.data:
                    self._last, self._pause = json.loads(message.data)["position"], PAUSE_SECONDS_MIN
                    yield message

    def _lost(self, error: NoAnswer) -> str:
        if not self._was_connected:
            raise error
        return error.message

    async def _renewed(self, refused: Refused) -> bool:
        """Whether the reader has logged in again after this refusal. False: it is worth a try later.

        Raises:
            Refused: Neither.
        """
        try:
            if await self._reader.renewed(refused):
                return True
        except NoAnswer as error:
            self._lost(error)
            return False
        if refused.status not in RETRIED:
            raise refused
        return False
