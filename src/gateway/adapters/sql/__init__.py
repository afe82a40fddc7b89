"""All SQL of the project: tables, repositories, unit of work, migrations; for Postgres and SQLite."""

from gateway.adapters.sql.audit import sql_audit
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.migrations import Plan, Schema, SchemaRefused, migrate, planned, schema_of
from gateway.adapters.sql.storage import open_sql_storage

__all__ = [
    "Plan",
    "Schema",
    "SchemaRefused",
    "SqlLimits",
    "migrate",
    "open_sql_storage",
    "planned",
    "schema_of",
    "sql_audit",
]
