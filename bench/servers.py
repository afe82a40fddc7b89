"""Servers under test: processes of their own, as in real life."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

START_SECONDS_MAX: Final = 60
STOP_SECONDS_MAX: Final = 20
HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that answers. `pid` is the process to which all the others belong."""

    port: int
    pid: int


def gateway(*arguments: str) -> tuple[str, ...]:
    """The command line of the real thing."""
    return (sys.executable, "-m", "gateway", "serve", *arguments)


def worker() -> tuple[str, ...]:
    """The command line of a worker, which answers on the port of its health."""
    return (sys.executable, "-m", "gateway", "worker")


def module(name: str) -> tuple[str, ...]:
    """The command line of a Python module."""
    return (sys.executable, "-m", name)


def arm_module(module: str) -> tuple[str, ...]:
    """The command line of another arm, served as the gateway is."""
    return (sys.executable, "-m", "bench.serve", module)


@contextlib.contextmanager
def serving(command: Sequence[str], settings: Mapping[str, str], *, port_option: str = "--port") -> Iterator[Server]:
    """A server, until the end of the `with`.

    Args:
        command: Without the port.
        settings: Of the environment.
        port_option: How the command is told its port.

    Raises:
        RuntimeError: It did not start; the message ends with what it wrote.
    """
    port = _free_port()
    # What the environment happens to hold must not change what is measured.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    with tempfile.NamedTemporaryFile(prefix="bench-", suffix=".log") as log:
        process = subprocess.Popen(
            [*command, port_option, str(port)],
            env={**inherited, **settings},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_until_it_answers(process, port, Path(log.name))
            yield Server(port=port, pid=process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection(HOST, port, timeout=5)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/health/live")
            connection.getresponse()  # Any status will do: the other arms have no such page.
            return
        connection.close()
        time.sleep(0.05)
    raise RuntimeError(f"The server did not start.\n{log.read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
