"""A `gateway` command that runs until a test ends it, and the lines that it prints."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from support.processes import kill_group
from support.servers import STOP_SECONDS_MAX, Installation, until

LINE_SECONDS_MAX = 30.0


class RunningCommand:
    """A command that runs.

    Attributes:
        lines: What it has printed.
        complaints: What it has complained about.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.lines: list[str] = []
        self.complaints: list[str] = []
        self.process = process
        self._reading = [
            asyncio.create_task(_read(process.stdout, self.lines)),
            asyncio.create_task(_read(process.stderr, self.complaints)),
        ]

    async def until_line(self, pattern: str, *, complaint: bool = False) -> str:
        """Wait for a line that has the pattern, and return it."""
        lines = self.complaints if complaint else self.lines

        async def is_there() -> bool:
            found = any(re.search(pattern, line) for line in lines)
            assert found or self.process.returncode is None, self.complaints
            return found

        await until(is_there, LINE_SECONDS_MAX)
        return next(line for line in lines if re.search(pattern, line))

    async def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """End it with a signal, and return its exit code."""
        self.process.send_signal(number)
        async with asyncio.timeout(STOP_SECONDS_MAX):
            code = await self.process.wait()
            await asyncio.gather(*self._reading)
        return code

    async def kill(self) -> None:
        """End it at once, with the processes that it started."""
        kill_group(self.process.pid)
        await self.process.wait()
        await asyncio.gather(*self._reading)


@asynccontextmanager
async def running(
    gateway: Installation, *arguments: str, stdin: str = "", **environ: str
) -> AsyncGenerator[RunningCommand]:
    """Run a command. What it has printed is shown if the test fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        "-m",
        gateway.module,
        *arguments,
        cwd=gateway.folder,
        env=gateway.environment | environ,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    process.stdin.write(stdin.encode())
    process.stdin.close()
    command = RunningCommand(process)
    try:
        yield command
    except BaseException as error:
        error.add_note("\n".join([f"{arguments} has printed:", *command.lines, *command.complaints]))
        raise
    finally:
        await command.kill()


async def _read(stream: asyncio.StreamReader | None, lines: list[str]) -> None:
    assert stream is not None
    async for line in stream:
        lines.append(line.decode().rstrip("\n"))  # noqa: PERF401 - each line when it comes, not all at the end.
