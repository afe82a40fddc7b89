"""What SQLite must be told, so that it keeps money as well as a server does."""

import asyncio
import gc
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.adapters.sql import SqlLimits, migrate, open_sql_storage
from gateway.adapters.sql.engine import WAL_VERSION_MIN, check_url, sqlite_engine
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, StorageRefused, StorageUnavailable, TryAgain, Wanted
from gateway.contracts.records import account_id, an_account, an_answer, commit, load

IMPATIENT = SqlLimits(lock_timeout_seconds=0.1, pool_timeout_seconds=0.3)


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "ledger.db"
    await migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
async def engine(file: Path) -> AsyncIterator[AsyncEngine]:
    opened = sqlite_engine(f"sqlite:///{file}", IMPATIENT)
    yield opened
    await opened.dispose()


@pytest.fixture
async def storage(file: Path) -> AsyncIterator[Storage]:
    async with open_sql_storage(f"sqlite:///{file}", IMPATIENT) as opened:
        yield opened


async def test_what_is_committed_is_on_the_disk(engine: AsyncEngine) -> None:
    assert await pragma(engine, "synchronous") == 2  # FULL
    assert await pragma(engine, "foreign_keys") == 1
    assert await pragma(engine, "busy_timeout") == 100


async def test_a_write_ahead_log_is_kept_only_by_a_version_that_does_not_lose_it(engine: AsyncEngine) -> None:
    sound = sqlite3.sqlite_version_info >= WAL_VERSION_MIN
    assert await pragma(engine, "journal_mode") == ("wal" if sound else "truncate")


async def test_no_table_takes_text_for_a_number(engine: AsyncEngine) -> None:
    async with DatabaseTransaction(engine) as transaction:
        await transaction.change(text("INSERT INTO login_failures VALUES ('account:a', 1, 1)"))
        with pytest.raises(StorageRefused) as refused:
            await transaction.change(text("UPDATE login_failures SET count = 'many'"))
        assert "cannot store TEXT value in INTEGER column" in str(refused.value.__cause__)
        with pytest.raises(StorageRefused) as refused:
            await transaction.change(text("UPDATE login_failures SET count = 9223372036854775807 + 1"))
        assert "cannot store REAL value in INTEGER column" in str(refused.value.__cause__)


async def test_no_error_repeats_what_was_to_be_written(engine: AsyncEngine) -> None:
    async with DatabaseTransaction(engine) as transaction:
        with pytest.raises(StorageRefused) as refused:
            await transaction.change(
                text("INSERT INTO login_failures VALUES (:key, 'x', 1)"), {"key": "ada@example.com"}
            )
    assert isinstance(refused.value.__cause__, DBAPIError)
    assert "ada@example.com" not in f"{refused.value}{refused.value.__cause__}"


async def test_a_number_beyond_64_bits_is_refused(storage: Storage) -> None:
    with pytest.raises(StorageRefused):
        await commit(storage, Changes(accounts_new=[an_account(1, credits_posted=2**63)]))
    assert await storage.reader.account(account_id(1)) is None


async def test_a_unit_of_work_has_the_file_to_itself_from_its_beginning(file: Path, storage: Storage) -> None:
    async with storage.unit_of_work():
        with sqlite3.connect(file, timeout=0) as other, pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


async def test_another_process_that_writes_too_long_is_tried_again(file: Path, storage: Storage) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TryAgain):
        await load(storage, Wanted())
    other.execute("ROLLBACK")
    other.close()
    await load(storage, Wanted())


async def test_a_transaction_cancelled_within_a_statement_frees_the_file(file: Path, engine: AsyncEngine) -> None:
    """The driver's thread runs the statement to its end; a connection given up meanwhile keeps the file locked."""
    async with DatabaseTransaction(engine) as transaction:
        await transaction.change(text("INSERT INTO login_failures VALUES ('account:a', 1, 1)"))
        await transaction.commit()
    statements: asyncio.Queue[str] = asyncio.Queue()
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *each: statements.put_nowait(each[2]))

    async def read_and_write() -> None:
        async with DatabaseTransaction(engine) as transaction:
            await transaction.rows(text("SELECT * FROM login_failures"))
            await transaction.change(text("DELETE FROM login_failures"))

    async def cancelled_at(statement: str) -> None:
        writing = asyncio.create_task(read_and_write())
        while not (await statements.get()).startswith(statement):
            pass
        writing.cancel()
        await asyncio.wait([writing])
        assert writing.cancelled()

    gc.disable()  # Collecting a connection would close it.
    try:
        for statement in ("BEGIN", "SELECT", "DELETE") * 10:
            await cancelled_at(statement)
            with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                assert other.execute("SELECT count(*) FROM login_failures").fetchall() == [(1,)]
                other.execute("ROLLBACK")
    finally:
        gc.enable()


async def test_an_account_that_is_not_what_was_loaded_stops_everything(storage: Storage) -> None:
    await commit(storage, Changes(accounts_new=[an_account(1)]))
    with pytest.raises(RuntimeError, match="no change of what was loaded"):
        await commit(storage, Changes(accounts_changed=[an_account(1)], answers_new=[an_answer()]))
    assert (await load(storage, Wanted(answers=[an_answer().key]))).answers == ()


async def test_a_full_disk_is_unavailable_and_forgets_the_half_that_was_written(
    engine: AsyncEngine, storage: Storage
) -> None:
    async with storage.unit_of_work() as work:
        await work.load(Wanted())
    answers = [an_answer(f"key-{n}", body=b"x" * 10_000) for n in range(100)]
    full = sqlite_engine(str(engine.url.set(drivername="sqlite")), IMPATIENT)
    async with DatabaseTransaction(full) as transaction:
        await transaction.rows(text("PRAGMA max_page_count = 1"))
        with pytest.raises(StorageUnavailable):
            await transaction.change(
                text("INSERT INTO answers VALUES (:owner, :key, :fingerprint, :body, 0, NULL)"),
                [
                    {"owner": each.key.owner_id, "key": each.key.key, "fingerprint": b"", "body": each.body}
                    for each in answers
                ],
            )
    await full.dispose()
    assert (await load(storage, Wanted(answers=[each.key for each in answers]))).answers == ()


async def test_a_file_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    async with open_sql_storage(f"sqlite:///{tmp_path}/folder.db", IMPATIENT) as storage:
        with pytest.raises(StorageUnavailable):
            await storage.reader.check()


async def test_an_audit_leaves_no_copy_behind(file: Path, storage: Storage) -> None:
    await commit(storage, Changes(accounts_new=[an_account(1)]))
    async with storage.audit() as audit:
        assert (await audit.size()).accounts == 1
        [copy] = file.parent.glob("audit-*")
        assert copy.stat().st_mode & 0o077 == 0  # It holds what the ledger holds.
    assert list(file.parent.glob("audit-*")) == []


@pytest.mark.parametrize("url", ["sqlite://:memory:", "sqlite:///:memory:", "sqlite+aiosqlite:///:memory:"])
def test_sqlite_in_memory_is_refused_with_what_there_is_instead(url: str) -> None:
    with pytest.raises(ValueError, match="memory:// is a ledger without a database"):
        check_url(url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_that_nobody_would_find_again_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="names a file"):
        check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://shop/x.db",
        "sqlite://ada:secret@/x.db",
        "sqlite+pysqlite:///x.db",
        "sqlite:///x.db?mode=ro",
        "sqlite:///x.db?timeout=1",
    ],
)
def test_what_a_url_says_beside_the_file_is_refused(url: str) -> None:
    """Two slashes make a host of a folder; drivers and their parameters are the gateway's own choice."""
    with pytest.raises(ValueError, match=r"names a file: sqlite:///gateway\.db") as caught:
        check_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://a:secret@b/c", "oracle://a:secret@b/c"])
def test_other_databases_are_refused_without_telling_their_password(url: str) -> None:
    with pytest.raises(ValueError, match="begins with postgresql:// or sqlite:///") as caught:
        check_url(url)
    assert "secret" not in str(caught.value)


async def pragma(engine: AsyncEngine, name: str) -> object:
    async with DatabaseTransaction(engine, writes=False) as transaction:
        return (await transaction.rows(text(f"PRAGMA {name}")))[0][0]
