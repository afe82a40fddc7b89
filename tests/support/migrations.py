"""Databases at any revision, and what tests do to them past the gateway."""

from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from gateway.adapters.sql import SqlLimits
from gateway.adapters.sql.engine import audit_engine


def to_revision(revision: str) -> Any:
    """Migrates to a revision which is not the newest."""

    def work(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", "gateway.adapters.sql:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    return work


async def on_connection(url: str, work: Any) -> Any:
    engine = audit_engine(url, SqlLimits())
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


async def execute(url: str, statement: str) -> None:
    await on_connection(url, lambda connection: connection.execute(text(statement)))
