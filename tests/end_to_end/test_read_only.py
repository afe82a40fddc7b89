"""What only reads changes nothing, and a process that cannot write says so before money is asked of it."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.adapters.sql import migrate, open_sql_storage
from support.api_client import open_world
from support.postgres import LocalPostgres, temporary_database
from support.processes import DEVNULL, started
from support.read_only import NOBODY, as_somebody, command, mounted_read_only, open_folder, run
from support.servers import STOP_SECONDS_MAX, Installation, free_port

SOUND = "The ledger is sound: 0 accounts"
CANNOT_WRITE = "This process cannot write: the database's file or its folder is read-only."
KILLED_WHILE_WRITING = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode = TRUNCATE")
connection.execute("PRAGMA cache_size = 1")  # What does not fit goes to the file before it is committed.
connection.execute("BEGIN IMMEDIATE")
for number in range(2_000):
    connection.execute("INSERT INTO login_failures VALUES (?, 1, 1)", [f"account:{number}"])
os._exit(0)
"""


@pytest.fixture
async def ledger() -> AsyncGenerator[Path]:
    """A ledger alone in a folder that everybody can look into."""
    with open_folder() as folder:
        file = folder / "ledger.db"
        await migrate(f"sqlite:///{file}")
        for left in folder.glob("ledger.db-*"):
            left.unlink()
        yield file


def state(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("arguments", [("verify",), ("worker",), ("serve", "--environment", "production")])
@pytest.mark.parametrize("url", ["sqlite:///{folder}/typo.db", "{folder}/typo/typo.db"])
def test_a_typo_makes_no_database(tmp_path: Path, arguments: Sequence[str], url: str) -> None:
    environ = {"GATEWAY_ALLOW_SQLITE_IN_PRODUCTION": "true", "GATEWAY_TOKEN_ALGORITHM": "HS256"}
    environ |= {"GATEWAY_TOKEN_SECRET": "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", "GATEWAY_DATA_DIR": str(tmp_path)}

    done = run(*arguments, "--port", str(free_port()), GATEWAY_DATABASE_URL=url.format(folder=tmp_path), **environ)

    assert (done.returncode, done.stdout) == (1, "")
    [*_, complaint] = done.stderr.splitlines()
    assert complaint.startswith("Error: There is no ledger in sqlite:///")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("revision", "advice"), [("0001", "older than this version's. Run: gateway migrate"), ("9999", "newer")]
)
def test_verify_tells_of_another_schema_and_migrates_nothing(ledger: Path, revision: str, advice: str) -> None:
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [revision])
    before = state(ledger.parent)

    done = run("verify", "--database-url", str(ledger))

    assert (done.returncode, done.stdout) == (1, "")
    assert advice in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert state(ledger.parent) == before


async def test_verify_tells_of_a_postgres_without_a_ledger(empty_postgres_url: str) -> None:
    done = await asyncio.to_thread(run, "verify", "--database-url", empty_postgres_url)

    assert done.returncode == 1
    assert done.stderr.startswith("Error: There is no ledger in postgresql://")


def test_verify_tells_of_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Ada, " * 1_000)

    done = run("verify", "--database-url", str(tmp_path / "letter.txt"))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: The file {tmp_path}/letter.txt cannot be read as a database. (file is not a database)\n"
    )


def test_verify_finds_no_ledger_in_memory() -> None:
    done = run("verify", "--database-url", "memory://")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: There is no ledger in memory://")


@pytest.mark.parametrize("arguments", [("worker",), ("create-operator", "--email", "op@example.com")])
def test_nothing_else_is_done_for_a_ledger_in_memory_that_ends_with_its_process(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, "--database-url", "memory://")

    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "memory://" in done.stderr


@pytest.mark.parametrize("arguments", [("verify",), ("worker",)])
def test_a_folder_that_one_may_not_enter_is_a_sentence(ledger: Path, arguments: tuple[str, ...]) -> None:
    ledger.parent.chmod(0o700)
    done = run(*arguments, "--database-url", str(ledger), before=as_somebody())
    ledger.parent.chmod(0o755)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: The file {ledger} cannot be looked at. ([Errno 13] Permission denied")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
@pytest.mark.parametrize("who", ["anybody", "somebody who is not root"])
def test_a_copy_in_a_read_only_folder_is_verified(ledger: Path, who: str, journal_mode: str) -> None:
    with closing(sqlite3.connect(ledger)) as connection:
        assert connection.execute(f"PRAGMA journal_mode = {journal_mode}").fetchone() == (journal_mode,)
    before = state(ledger.parent)
    assert list(before) == ["ledger.db"]

    done = run("verify", "--database-url", str(ledger), before=_reader_of(ledger.parent, who))

    assert done.stdout.startswith(SOUND), done.stderr
    assert (done.returncode, done.stderr) == (0, "")
    assert state(ledger.parent) == before


def test_what_a_killed_process_did_not_commit_is_taken_back_before_the_ledger_is_verified(ledger: Path) -> None:
    _kill_while_writing(ledger)
    assert ledger.with_name("ledger.db-journal").stat().st_size > 0

    done = run("verify", "--database-url", str(ledger))

    assert done.stdout.startswith(SOUND), done.stderr
    with closing(sqlite3.connect(ledger)) as connection:
        assert connection.execute("SELECT count(*) FROM login_failures").fetchone() == (0,)


@pytest.mark.parametrize("who", ["anybody", "somebody who is not root"])
def test_a_copy_of_a_half_written_file_is_not_verified_where_it_cannot_be_repaired(ledger: Path, who: str) -> None:
    _kill_while_writing(ledger)
    before = state(ledger.parent)

    done = run("verify", "--database-url", str(ledger), before=_reader_of(ledger.parent, who))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: The file {ledger} cannot be read as a database. (")
    assert state(ledger.parent) == before


@pytest.mark.parametrize("who", ["anybody", "somebody who is not root"])
def test_a_server_does_not_start_on_a_file_that_it_cannot_write(ledger: Path, who: str) -> None:
    for arguments in (("serve", "--port", str(free_port())), ("worker",)):
        done = run(
            *arguments,
            "--database-url",
            str(ledger),
            before=_reader_of(ledger.parent, who),
            GATEWAY_TOKEN_ALGORITHM="HS256",
            GATEWAY_TOKEN_SECRET="9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
        )

        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines()[-1].startswith(f"Error: {CANNOT_WRITE} (attempt to write a readonly database)")


async def test_a_server_whose_file_becomes_read_only_is_not_ready_and_says_why(ledger: Path) -> None:
    if os.geteuid() == 0:
        for path in (ledger, ledger.parent):
            os.chown(path, NOBODY, NOBODY)
    port = free_port()
    serve = command("serve", "--port", str(port), "--database-url", str(ledger), before=as_somebody())
    environ = {
        "PATH": os.environ["PATH"],
        "GATEWAY_TOKEN_ALGORITHM": "HS256",
        "GATEWAY_TOKEN_SECRET": "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
        "GATEWAY_WORKER_IN_SERVE": "false",
    }
    with started(serve, cwd=Path("/"), env=environ, stdout=DEVNULL, stderr=DEVNULL) as process:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            assert await _ready(client, 200) == {"status": "ok"}
            _set_read_only(ledger, read_only=True)
            problem = await _ready(client, 503)
            assert (problem["code"], problem["detail"]) == ("storage_unavailable", CANNOT_WRITE)
            register = {"email": "ada@example.com", "password": "correct horse battery", "role": "customer"}
            assert (await client.post("/users/register", json=register)).status_code == 503
            assert (await client.get("/health/live")).status_code == 200

            _set_read_only(ledger, read_only=False)
            assert await _ready(client, 200) == {"status": "ok"}
            assert (await client.post("/users/register", json=register)).status_code == 201

        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, STOP_SECONDS_MAX) == 0


@pytest.mark.parametrize(
    ("forbid", "reason"),
    [
        ("ALTER ROLE reader SET default_transaction_read_only = on", "the database is read-only"),
        ("REVOKE INSERT ON transfers FROM reader", "the role may not insert"),
    ],
)
async def test_a_postgres_that_only_reads_is_not_ready_and_says_why(
    postgres_url: str, forbid: str, reason: str
) -> None:
    reader = make_url(postgres_url).set(username="reader", password="reader")
    await _execute(postgres_url, "DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN PASSWORD 'reader'")
    try:
        await _execute(postgres_url, "GRANT ALL ON ALL TABLES IN SCHEMA public TO reader")
        url = reader.render_as_string(hide_password=False)
        async with open_sql_storage(url) as storage:
            await storage.reader.check()
        await _execute(postgres_url, forbid)
        async with open_sql_storage(url) as storage, open_world(storage=storage) as world:
            answer = await world.anyone.get("/health/ready")
        assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (
            503,
            "storage_unavailable",
            f"This process cannot write: {reason}.",
        )
    finally:
        await _execute(postgres_url, "DROP OWNED BY reader", "DROP ROLE reader")


async def test_a_server_does_not_start_on_a_standby(private_postgres: LocalPostgres, tmp_path: Path) -> None:
    async with temporary_database(private_postgres) as database:
        gateway = Installation(tmp_path, private_postgres.url(database))
        await migrate(gateway.database_url)
        await asyncio.to_thread(private_postgres.restart, standby=True)
        try:
            served = await gateway.run("serve", "--port", str(free_port()))
            worked = await gateway.run("worker")
            verified = await gateway.run("verify")
        finally:
            await asyncio.to_thread(private_postgres.restart, standby=False)

    complaint = "Error: This process cannot write: the server is a standby.\n"
    assert (served.exit_code, served.complained) == (1, complaint)
    assert (worked.exit_code, worked.complained) == (1, complaint)
    assert (verified.exit_code, verified.complained) == (0, "")


def _reader_of(folder: Path, who: str) -> tuple[str, ...]:
    """Before the command of somebody who can read a folder and not change it."""
    if who == "anybody":
        return mounted_read_only(folder)
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return as_somebody()


def _kill_while_writing(file: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(file)], check=True, timeout=60)


def _set_read_only(file: Path, *, read_only: bool) -> None:
    if read_only:
        file.with_name(f"{file.name}-journal").unlink(missing_ok=True)
    file.chmod(0o444 if read_only else 0o644)
    file.parent.chmod(0o555 if read_only else 0o755)


async def _ready(client: httpx.AsyncClient, status: int) -> dict[str, str]:
    async with asyncio.timeout(30):
        while True:
            with suppress(httpx.TransportError):
                answer = await client.get("/health/ready")
                if answer.status_code == status:
                    body: dict[str, str] = answer.json()
                    return body
            await asyncio.sleep(0.05)


async def _execute(url: str, *statements: str) -> None:
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()
