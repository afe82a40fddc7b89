"""The database: opened for a gateway, or for an audit."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gateway.adapters.memory import memory_storage
from gateway.adapters.sql import open_sql_storage, sql_audit
from gateway.application.ports.reader import Audit
from gateway.application.ports.storage import Storage
from gateway.bootstrap.limits import sql_limits
from gateway.bootstrap.memory_url import MEMORY_URL
from gateway.bootstrap.refusal import StartRefused
from gateway.bootstrap.schema import migrate_database, require_schema
from gateway.settings.values import Settings


@asynccontextmanager
async def open_storage(settings: Settings) -> AsyncGenerator[Storage]:
    """Open the database alone. The sandbox migrates it; production requires this version's schema.

    Raises:
        SettingsRefused: The URL is not one of a database that the gateway can use.
        StartRefused: The database is not one for production, or its schema is not this version's.
        StorageUnavailable: The database cannot be reached.
    """
    if settings.url == MEMORY_URL:
        if settings.environment == "production":
            raise StartRefused("Production keeps its ledger: set GATEWAY_DATABASE_URL to a Postgres.")
        yield memory_storage()
        return
    if settings.environment == "sandbox":
        await migrate_database(settings)
    elif settings.on_sqlite and not settings.allow_sqlite_in_production:
        raise StartRefused(
            "Production does not start on SQLite. Set GATEWAY_DATABASE_URL to a Postgres, or "
            "GATEWAY_ALLOW_SQLITE_IN_PRODUCTION=true if one process on one machine is enough."
        )
    else:
        await require_schema(settings)
    async with open_sql_storage(settings.url, sql_limits(settings)) as storage:
        yield storage


@asynccontextmanager
async def open_audit(settings: Settings) -> AsyncGenerator[Audit]:
    """Open a read-only snapshot of the whole ledger. Nothing is changed.

    Raises:
        SettingsRefused: The URL is not one of a database that the gateway can use.
        StartRefused: There is no ledger, or its schema is not this version's.
        StorageUnavailable: The database cannot be reached or read.
    """
    await require_schema(settings)
    async with sql_audit(settings.url, sql_limits(settings)) as audit:
        yield audit
