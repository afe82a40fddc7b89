"""The history of the schema, as Alembic reads it from `versions`."""

from collections.abc import Sequence
from functools import cache

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Run all revisions that the database lacks, in the transaction of the connection."""
    command.upgrade(_config(connection), "head")


def steps_after(revision: str) -> Sequence[tuple[str, str]]:
    """Revision and title of each step behind a revision, the oldest first; of all steps if it is empty."""
    scripts = _scripts().iterate_revisions("heads", revision or "base")
    return [(script.revision, script.doc) for script in scripts][::-1]


def known_revisions() -> set[str]:
    """All revisions of the history."""
    return {script.revision for script in _scripts().walk_revisions()}


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "gateway.adapters.sql:migrations")
    config.attributes["connection"] = connection
    return config
