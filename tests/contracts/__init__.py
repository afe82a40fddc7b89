"""The contract suite over memory, SQLite and Postgres."""
