"""All SQL of the project: tables, repositories, unit of work, migrations; for Postgres and SQLite."""

from gateway.adapters.sql.audit import sql_audit
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.migrations import Plan, Schema, SchemaRefused, migrate, planned, schema_of
from gateway.adapters.sql.production_mark import is_production, mark_as_production
from gateway.adapters.sql.roles import ROLES, grant_roles, role_statements
from gateway.adapters.sql.storage import open_sql_storage

__all__ = [
    "ROLES",
    "Plan",
    "Schema",
    "SchemaRefused",
    "SqlLimits",
    "grant_roles",
    "is_production",
    "mark_as_production",
    "migrate",
    "open_sql_storage",
    "planned",
    "role_statements",
    "schema_of",
    "sql_audit",
]
