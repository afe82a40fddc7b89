"""The database's schema: required, migrated, or planned to be."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.adapters.sql import (
    Plan,
    Schema,
    SchemaRefused,
    grant_roles,
    is_production,
    mark_as_production,
    migrate,
    planned,
    schema_of,
)
from gateway.adapters.sql.engine import check_url, sqlite_url
from gateway.bootstrap.folders import make_folder
from gateway.bootstrap.limits import sql_limits
from gateway.bootstrap.memory_url import MEMORY_URL
from gateway.bootstrap.refusal import StartRefused
from gateway.settings.database_url import without_password
from gateway.settings.field import SettingsRefused
from gateway.settings.values import Settings

_SCHEMAS_REFUSED: Final = {
    Schema.NONE: "There is no ledger in {url}. If this is the right database, run: gateway migrate",
    Schema.OLDER: "The database's schema is older than this version's. Run: gateway migrate",
    Schema.NEWER: "The database's schema is of a newer version of the gateway. Use that version.",
    Schema.FOREIGN: "The database has tables of another application where the gateway's would be. Give the gateway a "
    "database of its own; on Postgres a schema is enough: GATEWAY_DATABASE_SCHEMA=gateway.",
    Schema.NOT_UTF_8: "The database keeps texts in another encoding than UTF-8. Make one for the gateway: "
    "CREATE DATABASE gateway ENCODING 'UTF8' TEMPLATE template0.",
}


async def require_schema(settings: Settings) -> None:
    """Check that the database exists and has this version's tables. Nothing is changed.

    Raises:
        SettingsRefused: The URL is not one of a database that the gateway can use.
        StartRefused: There is no ledger, or its schema is another version's.
        StorageUnavailable: The database cannot be reached or read.
    """
    if settings.url == MEMORY_URL:
        raise StartRefused("There is no ledger in memory:// outside a running process.")
    check_database_url(settings)
    schema = await schema_of(settings.url, sql_limits(settings))
    if schema is not Schema.CURRENT:
        raise StartRefused(_SCHEMAS_REFUSED[schema].format(url=without_password(settings.url)))


async def migrate_database(settings: Settings, *, tell: Callable[[str], None] | None = None) -> Plan:
    """Migrate the database's schema to this version's. In production, mark the database as production's.

    Args:
        settings: All settings; they name the database.
        tell: Called with a sentence whenever the migration has to wait for others.

    Returns:
        The migrations that ran.

    Raises:
        SettingsRefused: The URL is not one of a database that the gateway can use.
        StartRefused: The schema is of a newer version, or of another application.
        StorageUnavailable: The database cannot be reached, or others do not release their locks.
    """
    if settings.url == MEMORY_URL:
        return Plan("", "", ())
    check_database_url(settings)
    if settings.on_sqlite:
        make_folder(Path(str(sqlite_url(settings.url).database)).parent)
    with _schema_refused():
        plan = await migrate(settings.url, sql_limits(settings), tell=tell)
    if settings.environment == "production":
        await mark_as_production(settings.url, sql_limits(settings))
    return plan


async def refuse_production_in_sandbox(settings: Settings) -> None:
    """Check, before a sandbox migrates or serves a database, that it is not marked as production's.

    Raises:
        SettingsRefused: The URL is not one of a database that the gateway can use.
        StartRefused: The settings are a sandbox's, the database is production's.
        StorageUnavailable: The database cannot be reached.
    """
    if settings.environment == "production" or settings.url == MEMORY_URL:
        return
    check_database_url(settings)
    if await is_production(settings.url, sql_limits(settings)):
        raise StartRefused(
            "This is production's database, and in a sandbox owners make money. Set GATEWAY_ENVIRONMENT=production. "
            "If it is a copy for a sandbox, take its mark away: DELETE FROM production"
        )


async def planned_migration(settings: Settings) -> Plan:
    """The migrations that `migrate_database` would run. Nothing is changed.

    Raises:
        SettingsRefused, StartRefused: As `migrate_database`.
        StorageUnavailable: The database cannot be reached.
    """
    if settings.url == MEMORY_URL:
        return Plan("", "", ())
    check_database_url(settings)
    with _schema_refused():
        return await planned(settings.url, sql_limits(settings))


async def grant_database_roles(settings: Settings) -> None:
    """Make the roles of Postgres, and give them their rights on the tables. The schema must be this version's.

    Raises:
        SettingsRefused: The database is not on Postgres.
        StorageUnavailable: The database cannot be reached, or the connection's role may not make roles.
    """
    check_has_roles(settings)
    await grant_roles(settings.url, sql_limits(settings))


def check_has_roles(settings: Settings) -> None:
    """Check that the database has roles.

    Raises:
        SettingsRefused: The database is not on Postgres.
    """
    if settings.url == MEMORY_URL or settings.on_sqlite:
        raise SettingsRefused("--roles needs Postgres: SQLite has no roles. Set GATEWAY_DATABASE_URL.")
    check_database_url(settings)


@contextmanager
def _schema_refused() -> Generator[None]:
    try:
        yield
    except SchemaRefused as refused:
        raise StartRefused(_SCHEMAS_REFUSED[refused.schema]) from refused


def check_database_url(settings: Settings) -> None:
    """Look whether the URL of the settings is one of a database of SQL. Nothing is connected.

    Raises:
        SettingsRefused: It is not.
    """
    if settings.database_schema and settings.on_sqlite:
        raise SettingsRefused("GATEWAY_DATABASE_SCHEMA needs Postgres: SQLite has no schemas.")
    try:
        check_url(settings.url, schema=settings.database_schema)
    except ValueError as error:
        raise SettingsRefused(f"GATEWAY_DATABASE_URL cannot be used. {error}") from error
