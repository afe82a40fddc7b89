"""All SQL of the project: tables, repositories, unit of work, migrations; for Postgres and SQLite."""
