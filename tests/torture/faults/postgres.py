"""A Postgres that is held up, read-only, or out of connections or disk space."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
import httpx

from support.servers import Server, until
from torture.fault import Fault
from torture.scene import Scene

NOTICED_SECONDS_MAX: Final = 15.0
LISTS: Final = 20
"""More than a server has connections for look-ups."""
SLEEP: Final = """
    CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {} RETURN NULL; END';
    CREATE OR REPLACE TRIGGER slow AFTER INSERT ON payments FOR EACH STATEMENT EXECUTE FUNCTION slow()
"""
CANCEL: Final = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'gateway'"
TERMINATE: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gateway'"
SMALL_DISK_BYTES: Final = 64 * 1024**2
TABLES: Final = ("answers", "events", "payments", "transfers")
CHUNK: Final = bytes(64 * 1024)


@asynccontextmanager
async def _table_is_locked(scene: Scene) -> AsyncGenerator[None]:
    async with scene.connected() as connection, connection.transaction():
        await connection.execute("LOCK TABLE payments IN ACCESS EXCLUSIVE MODE")
        yield


async def _lists_use_up_their_connections_only(scene: Scene) -> None:
    """Lists wait for the lock with all connections that look-ups may have; readiness has others."""
    await asyncio.gather(*(_lists_at(server, scene.buyers[0].merchant.headers) for server in scene.servers))


async def _lists_at(server: Server, headers: dict[str, str]) -> None:
    async with server.client() as http:
        lists = asyncio.gather(*(http.get("/payments", headers=headers) for _ in range(LISTS)))
        await asyncio.sleep(0.2)
        assert (await http.get("/health/ready")).status_code == httpx.codes.OK
        statuses = {answer.status_code for answer in await lists}
        assert statuses == {httpx.codes.SERVICE_UNAVAILABLE}, statuses


@asynccontextmanager
async def _account_is_locked(scene: Scene) -> AsyncGenerator[None]:
    async with scene.connected() as connection, connection.transaction():
        await connection.execute("SELECT FROM accounts WHERE owner_id = $1 FOR UPDATE", scene.merchants[0])
        yield


@asynccontextmanager
async def _statements_are_slow(scene: Scene) -> AsyncGenerator[None]:
    async with scene.connected() as connection:
        await connection.execute(SLEEP.format("PERFORM pg_sleep(600);"))
        yield
        await connection.execute(SLEEP.format(""))
        await connection.fetch(CANCEL)


@asynccontextmanager
async def _read_only(scene: Scene) -> AsyncGenerator[None]:
    async with scene.connected() as connection:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await connection.execute("SELECT pg_reload_conf()")
        yield
        await connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await connection.execute("SELECT pg_reload_conf()")


@asynccontextmanager
async def _no_connection_is_left(scene: Scene) -> AsyncGenerator[None]:
    taken: list[Any] = []
    taking = asyncio.create_task(_take_all_connections(scene, taken))
    try:
        yield
    finally:
        taking.cancel()
        await asyncio.wait([taking])
        for connection in taken:
            connection.terminate()


async def _take_all_connections(scene: Scene, taken: list[Any]) -> None:
    """Take each place as soon as it is free, until cancelled."""
    while True:
        try:
            taken.append(await asyncpg.connect(scene.direct.database_url))
        except (asyncpg.PostgresError, OSError):
            await taken[0].fetch(TERMINATE)


async def _servers_are_not_ready(scene: Scene) -> None:
    for server in scene.servers:
        await server.until_ready(503, NOTICED_SECONDS_MAX)


@asynccontextmanager
async def _disk_is_full(scene: Scene) -> AsyncGenerator[None]:
    """The tables that payments add to lie on a small disk, which somebody else has filled."""
    folder = scene.gateway.folder / "small"
    folder.mkdir(exist_ok=True)
    size = f"size={SMALL_DISK_BYTES + await _bytes_of_tables(scene)}"
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)  # noqa: ASYNC221 - quick.
    try:
        os.chown(folder, scene.postgres.owner, scene.postgres.owner)
        async with scene.connected() as connection:
            await connection.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
            for table in TABLES:
                await connection.execute(f"ALTER TABLE {table} SET TABLESPACE small")
            _fill(folder / "filler")
            yield
            (folder / "filler").unlink()
            for table in TABLES:
                await connection.execute(f"ALTER TABLE {table} SET TABLESPACE pg_default")
            await connection.execute("DROP TABLESPACE small")
    finally:
        subprocess.run(["/bin/umount", "--lazy", folder], check=True)  # noqa: ASYNC221 - as above.


async def _bytes_of_tables(scene: Scene) -> int:
    tables = ", ".join(f"pg_total_relation_size('{table}')" for table in TABLES)
    [[size]] = await scene.query(f"SELECT sum(size) FROM unnest(ARRAY[{tables}]) AS size")  # noqa: S608 - constants.
    return int(size)


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(CHUNK):
            pass


async def _payments_are_refused(scene: Scene) -> None:
    """Until a table's last page is full, payments go on."""
    refused = scene.book.statuses[503]

    async def are_refused() -> bool:
        return scene.book.statuses[503] > refused

    await until(are_refused, 2 * NOTICED_SECONDS_MAX)


def can_mount() -> bool:
    """Whether this user may mount a small disk."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


FAULTS: Final = (
    Fault("a table is locked, and lists wait for it", _table_is_locked, _lists_use_up_their_connections_only),
    Fault("an account is locked", _account_is_locked),
    Fault("statements take longer than they may", _statements_are_slow, _payments_are_refused),
    Fault("Postgres is read-only", _read_only, _servers_are_not_ready),
    Fault("Postgres has no connection left", _no_connection_is_left, _servers_are_not_ready),
)
DISK_FULL: Final = Fault("the disk of Postgres is full", _disk_is_full, _payments_are_refused)
"""Needs the right to mount."""
