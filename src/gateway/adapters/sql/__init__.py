"""All SQL of the project: tables, repositories, unit of work, migrations; for Postgres and SQLite."""

from gateway.adapters.sql.audit import sql_audit
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.migrations import Schema, SchemaRefused, migrate, schema_of
from gateway.adapters.sql.storage import open_sql_storage

__all__ = ["Schema", "SchemaRefused", "SqlLimits", "migrate", "open_sql_storage", "schema_of", "sql_audit"]
