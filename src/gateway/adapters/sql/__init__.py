"""All SQL of the project: tables, repositories, unit of work, migrations; for Postgres and SQLite."""

from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.migrations import migrate, pending
from gateway.adapters.sql.storage import open_sql_storage

__all__ = ["SqlLimits", "migrate", "open_sql_storage", "pending"]
