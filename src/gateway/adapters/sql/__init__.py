"""All SQL of the project: tables, repositories, unit of work, migrations; for Postgres and SQLite."""

from typing import TYPE_CHECKING

from gateway.lazy_names import lazy_names

if TYPE_CHECKING:
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

# A name is imported when it is first used: a gateway in memory has limits, and loads no SQLAlchemy.
_MODULES = {
    "ROLES": "gateway.adapters.sql.roles",
    "Plan": "gateway.adapters.sql.migrations",
    "Schema": "gateway.adapters.sql.migrations",
    "SchemaRefused": "gateway.adapters.sql.migrations",
    "SqlLimits": "gateway.adapters.sql.limits",
    "grant_roles": "gateway.adapters.sql.roles",
    "is_production": "gateway.adapters.sql.production_mark",
    "mark_as_production": "gateway.adapters.sql.production_mark",
    "migrate": "gateway.adapters.sql.migrations",
    "open_sql_storage": "gateway.adapters.sql.storage",
    "planned": "gateway.adapters.sql.migrations",
    "role_statements": "gateway.adapters.sql.roles",
    "schema_of": "gateway.adapters.sql.migrations",
    "sql_audit": "gateway.adapters.sql.audit",
}

__getattr__ = lazy_names(globals(), _MODULES)


def __dir__() -> list[str]:
    return __all__
