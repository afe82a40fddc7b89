"""The storages that `--gateway-storage` names."""

import asyncio
import shutil
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from pkgutil import resolve_name
from typing import cast

import pytest

from gateway.adapters.memory import memory_storage
from gateway.application.ports.storage import Storage
from gateway.bootstrap.schema import migrate_database
from gateway.bootstrap.storage import open_storage
from gateway.settings.values import Settings


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


def _opener(name: str, request: pytest.FixtureRequest) -> AbstractAsyncContextManager[Storage]:
    if name == "sqlite":
        migrated = cast("Path", request.getfixturevalue("gateway_migrated_sqlite"))
        file = cast("Path", request.getfixturevalue("tmp_path")) / "gateway.db"
        shutil.copyfile(migrated, file)
        return open_storage(Settings(database_url=f"sqlite:///{file}"))
    if "://" in name:
        return open_storage(Settings(database_url=name))
    try:
        opener = resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise pytest.UsageError(f"--gateway-storage={name} names no storage: {error}") from error
    return cast("AbstractAsyncContextManager[Storage]", opener())
