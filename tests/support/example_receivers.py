"""The receivers of examples/webhooks as processes, and what they have handled."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from clients.node import WHEEL
from support.processes import kill_group
from support.servers import free_port, until

EXAMPLES = Path(__file__).parents[2] / "examples" / "webhooks"
START_SECONDS_MAX = 30.0
HANDLED_SECONDS_MAX = 30.0


class ReceiverEndedError(Exception):
    """The receiver has ended before it listened."""


@dataclass(slots=True)
class Receiver:
    """A receiver that listens.

    Attributes:
        port: On the loopback interface.
        handled: The lines that it has printed: `payment.captured pay_…`, one for each event that it has handled.
    """

    port: int
    handled: list[str] = field(default_factory=list[str])

    @property
    def url(self) -> str:
        """Where it receives webhooks."""
        return f"http://127.0.0.1:{self.port}/"

    async def until_handled(self, count: int) -> None:
        """Wait until it has handled so many events."""

        async def is_so() -> bool:
            return len(self.handled) >= count

        await until(is_so, HANDLED_SECONDS_MAX)


@asynccontextmanager
async def receiving(language: str, folder: Path, secret: str, *, port: int = 0) -> AsyncGenerator[Receiver]:
    """Run the receiver of a language: `python`, `node` or `shell`.

    Args:
        language: Of the receiver.
        folder: Where it keeps what it has handled.
        secret: Of the endpoint.
        port: A free one unless it is given.
    """
    receiver = Receiver(port or free_port())
    async with AsyncExitStack() as stack:
        if language == "shell":
            await stack.enter_async_context(_one_process_per_connection(folder, secret, receiver))
        else:
            command = {
                "python": (sys.executable, "-W", "error", EXAMPLES / "receiver.py"),
                "node": (WHEEL / "bin" / "node", EXAMPLES / "receiver.mjs"),
            }[language]
            await stack.enter_async_context(_process(command, folder, secret, receiver))
        yield receiver


@asynccontextmanager
async def _process(
    command: tuple[str | Path, ...], folder: Path, secret: str, receiver: Receiver
) -> AsyncGenerator[None]:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "WEBHOOK_SECRET": secret, "PORT": str(receiver.port)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )

    async def listens() -> bool:
        if process.returncode is not None:
            raise ReceiverEndedError
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
        except OSError:
            return False
        writer.close()
        return True

    reading = asyncio.create_task(_read(process.stdout, receiver))
    try:
        await until(listens, START_SECONDS_MAX)
        yield
    finally:
        kill_group(process.pid)
        await process.wait()
        await reading


@asynccontextmanager
async def _one_process_per_connection(folder: Path, secret: str, receiver: Receiver) -> AsyncGenerator[None]:
    """What inetd does, and socat with `fork`: each connection is the standard input and output of a process."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        process = await asyncio.create_subprocess_exec(
            EXAMPLES / "receiver.sh",
            cwd=folder,
            env={"PATH": os.environ["PATH"], "WEBHOOK_SECRET": secret},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        pouring = asyncio.create_task(_pour(reader, process.stdin))
        reading = asyncio.create_task(_read(process.stderr, receiver))
        writer.write(await process.stdout.read())
        await process.wait()
        await reading
        pouring.cancel()
        await asyncio.gather(pouring, return_exceptions=True)
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", receiver.port):
        yield


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while part := await reader.read(65_536):
        writer.write(part)
        await writer.drain()


async def _read(stream: asyncio.StreamReader | None, receiver: Receiver) -> None:
    assert stream is not None
    async for line in stream:
        receiver.handled.append(line.decode().strip())
