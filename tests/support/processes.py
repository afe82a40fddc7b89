"""Processes that tests start: whatever happens, each has ended and its pipes are closed afterwards."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PIPE = subprocess.PIPE
DEVNULL = subprocess.DEVNULL


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended: its exit code, what it printed, and what it complained about."""

    exit_code: int
    said: str
    complained: str


@contextmanager
def started(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: int = DEVNULL,
    stdout: int = PIPE,
    stderr: int = PIPE,
) -> Generator[subprocess.Popen[str]]:
    """A process in a group of its own. At the end the group is killed and the pipes are closed."""
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            kill_group(process.pid)


async def run_to_end(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdin: str, seconds_max: float
) -> Done:
    """Run a command to its end. After `seconds_max` its group is killed, and `TimeoutError` is raised."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=env, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    try:
        async with asyncio.timeout(seconds_max):
            said, complained = await process.communicate(stdin.encode())
    except BaseException:
        kill_group(process.pid)
        await process.communicate()
        raise
    assert process.returncode is not None
    return Done(process.returncode, said.decode(), complained.decode())


def kill_group(pid: int) -> None:
    """SIGKILL, to the process and the processes that it started."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
