"""The storages that `--gateway-storage` names."""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from pkgutil import resolve_name
from typing import cast

import pytest

from gateway.adapters.memory import memory_storage
from gateway.application.ports.storage import Storage
from gateway.bootstrap.schema import check_database_url, migrate_database
from gateway.bootstrap.storage import open_storage
from gateway.settings.field import SettingsRefused
from gateway.settings.values import Settings

FILE = "gateway.db"
NAMES = "memory, sqlite, the URL of a database, or module:function"


@asynccontextmanager
async def open_named(name: str, request: pytest.FixtureRequest) -> AsyncGenerator[Storage]:
    """Open a storage by its name."""
    if name == "memory":
        yield memory_storage()
        return
    async with _opener(name, request) as storage:
        yield storage


def migrated_file(folder: Path) -> Path:
    """An SQLite file with all tables: a test copies it, which is faster than a migration."""
    file = folder / "migrated.db"
    settings = Settings(database_url=f"sqlite:///{file}")
    with ThreadPoolExecutor(1) as thread:  # In this one, an event loop may run.
        thread.submit(lambda: asyncio.run(migrate_database(settings))).result()
    return file


def check_named(name: str) -> None:
    """Look whether a name is one of a storage. Nothing is opened.

    Raises:
        pytest.UsageError: It is not.
    """
    if name in ("memory", "sqlite"):
        return
    if "://" in name:
        try:
            check_database_url(Settings(database_url=name))
        except SettingsRefused as refused:
            raise pytest.UsageError(f"--gateway-storage names no storage: {refused}") from refused
    elif not callable(_resolved(name)):
        raise pytest.UsageError(f"--gateway-storage={name} names no function. It is {NAMES}.")


def database_url(name: str, folder: Path) -> str:
    """The URL of the database of a storage.

    Raises:
        pytest.UsageError: The storage has none that the plugin knows.
    """
    if name == "sqlite":
        return f"sqlite:///{folder / FILE}"
    if "://" in name:
        return name
    raise pytest.UsageError(
        f"--gateway-storage={name} has no database of SQL, in which the program could have transactions of its own. "
        "Run this test with --gateway-storage=sqlite, or with the URL of a database."
    )


def _resolved(name: str) -> object:
    try:
        return resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise pytest.UsageError(f"--gateway-storage={name} names no storage: {error}. It is {NAMES}.") from error


def _opener(name: str, request: pytest.FixtureRequest) -> AbstractAsyncContextManager[Storage]:
    if name == "sqlite":
        migrated = cast("Path", request.getfixturevalue("gateway_migrated_sqlite"))
        file = cast("Path", request.getfixturevalue("tmp_path")) / FILE
        shutil.copyfile(migrated, file)
        return open_storage(Settings(database_url=f"sqlite:///{file}"))
    if "://" in name:
        return open_storage(Settings(database_url=name))
    opener = cast("Callable[[], AbstractAsyncContextManager[Storage]]", _resolved(name))
    return opener()
