"""Databases at other revisions than the newest."""

from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from gateway.adapters.sql.engine import audit_engine
from gateway.adapters.sql.limits import SqlLimits


async def on_connection(url: str, work: Any) -> Any:
    engine = audit_engine(url, SqlLimits())
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def to_revision(revision: str) -> Any:
    """Migrates to a revision which is not the newest."""

    def work(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", "gateway.adapters.sql:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    return work
