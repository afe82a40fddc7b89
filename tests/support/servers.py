"""Real `gateway` processes for tests: commands, and servers to stop, freeze, kill and start again."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Self

import httpx
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from gateway.application.verification.verify import verify
from gateway.bootstrap.storage import open_audit
from gateway.settings.reader import read_settings
from support.processes import Done, kill_group, run_to_end

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 60.0
COMMAND_SECONDS_MAX = 60.0
NOTICE_SECONDS_MAX = 30.0
POLL_SECONDS = 0.02
LOG_CHARACTERS_SHOWN = 10_000
PATIENT = {
    "GATEWAY_DATABASE_LOCK_TIMEOUT_SECONDS": "20",
    "GATEWAY_DATABASE_STATEMENT_TIMEOUT_SECONDS": "24",
    "GATEWAY_DATABASE_COMMAND_TIMEOUT_SECONDS": "28",
}
"""Settings of a server that a test holds up with a lock: on a busy machine the defaults pass before the test acts."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A gateway on this machine: a folder of its own, and a database, which all its processes share.

    Attributes:
        folder: Where its processes run; the signing key, the embedded database and the logs lie in it.
        database_url: The embedded SQLite unless it is given.
        environ: Further settings for every process.
        module: What its processes run: the gateway, or one that is changed for a test.
    """

    folder: Path
    database_url: str = ""
    environ: tuple[tuple[str, str], ...] = ()
    module: str = "gateway"

    @property
    def environment(self) -> dict[str, str]:
        """What its processes get to see: nothing of the machine's own settings."""
        return {
            "PATH": os.environ["PATH"],
            "GATEWAY_DATA_DIR": str(self.folder / "data"),
            "GATEWAY_DATABASE_URL": self.database_url,
            **dict(self.environ),
        }

    async def run(self, *arguments: str, stdin: str = "", **environ: str) -> Done:
        """Run a command to its end. A server would listen on a free port: somebody may work with one on port 8000."""
        return await run_to_end(
            [sys.executable, "-W", "error", "-m", self.module, *arguments],
            cwd=self.folder,
            env={"GATEWAY_PORT": str(free_port()), **self.environment, **environ},
            stdin=stdin,
            seconds_max=COMMAND_SECONDS_MAX,
        )

    async def verify(self) -> None:
        """What `gateway verify` does, but in this process, which is quicker: the ledger must be sound."""
        settings = read_settings(self.environment)
        async with open_audit(settings) as audit:
            findings = await verify(audit)
        assert findings.ok, findings

    @asynccontextmanager
    async def serving(self, *arguments: str, **environ: str) -> AsyncGenerator["Server"]:
        """A server that is ready. Whatever fails meanwhile shows its log."""
        async with Server(self, arguments, environ).running() as server:
            yield server

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[AsyncConnection]:
        """A connection to its Postgres past the gateway: to look, or to hold what the gateway wants to have."""
        url = make_url(self.database_url).set(drivername="postgresql+asyncpg")
        async with create_async_engine(url, poolclass=NullPool).connect() as connection:
            yield connection

    async def sessions(self) -> list[str]:
        """What each of its sessions in Postgres does: `idle`, `active`, `waiting for a lock`, `idle in transaction`."""
        statement = text(
            "SELECT CASE wait_event_type WHEN 'Lock' THEN 'waiting for a lock' ELSE state END FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'gateway'"
        )
        async with self.connected() as connection:
            return [*(await connection.execute(statement)).scalars()]

    async def until_sessions(self, doing: str, *, count: int = 1) -> None:
        """Wait until so many of its sessions do this."""

        async def is_so() -> bool:
            return (await self.sessions()).count(doing) >= count

        await until(is_so, NOTICE_SECONDS_MAX)


class Server:
    """A `gateway serve` that tests may end in every way and start again, on the same port."""

    command = "serve"
    port_flag = "--port"

    def __init__(self, installation: Installation, arguments: tuple[str, ...], environ: dict[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._installation = installation
        self._arguments = arguments
        self._environ = environ
        self._log = installation.folder / f"{self.command}-{self.port}.log"
        self._process: asyncio.subprocess.Process | None = None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Self]:
        """Start it, and kill it at the end. Whatever fails meanwhile shows its log."""
        try:
            await self.start()
            yield self
        except BaseException as error:
            error.add_note(f"The log of {self.command} at {self.url}:\n{self.log()[-LOG_CHARACTERS_SHOWN:]}")
            raise
        finally:
            await self.kill()

    async def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._installation.module,
                self.command,
                self.port_flag,
                str(self.port),
                *self._arguments,
                cwd=self._installation.folder,
                env=self._installation.environment | self._environ,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # A group of its own: to be killed with its workers.
            )
        await self.until_ready(200, START_SECONDS_MAX)

    async def until_ready(self, status: int, seconds_max: float) -> None:
        """Wait until `/health/ready` answers with this status."""

        async def is_so() -> bool:
            assert self._process is not None
            assert self._process.returncode is None, "The server has ended"
            with suppress(httpx.TransportError):
                return (await http.get("/health/ready")).status_code == status
            return False

        async with self.client() as http:
            await until(is_so, seconds_max)

    def client(self) -> httpx.AsyncClient:
        """Somebody with a connection to it."""
        return httpx.AsyncClient(base_url=self.url, timeout=30.0)

    async def ask(self, request: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Send a request, as it goes over the wire, on a connection of its own, and wait for nothing."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        await writer.drain()
        return reader, writer

    async def until_read(self) -> None:
        """Wait until it has read what was sent to it before: it takes connections in the order in which they come."""
        async with self.client() as http:
            for _ in range(2):
                assert (await http.get("/health/live")).status_code == 200

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end; its exit code, or minus the signal which ended it."""
        assert self._process is not None
        async with asyncio.timeout(STOP_SECONDS_MAX):
            return await self._process.wait()

    async def kill(self) -> None:
        """SIGKILL, to it and its workers."""
        if self._process is None:
            return
        kill_group(self._process.pid)
        await self._process.wait()

    def log(self) -> str:
        """What it has printed and logged so far."""
        return self._log.read_text() if self._log.exists() else ""


class Worker(Server):
    """A `gateway worker` whose health is asked for over HTTP."""

    command = "worker"
    port_flag = "--worker-health-port"


def free_port() -> int:
    """A free port below those which the system lends to clients, so that none of them is lent a stopped server's."""
    while True:
        port = SystemRandom().randrange(20_000, 32_000)
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


async def until(is_so: Callable[[], Awaitable[bool]], seconds_max: float) -> None:
    """Wait for something that tells nobody when it happens."""
    async with asyncio.timeout(seconds_max):
        while not await is_so():  # noqa: ASYNC110 - of another process, nothing in this one can tell.
            await asyncio.sleep(POLL_SECONDS)
