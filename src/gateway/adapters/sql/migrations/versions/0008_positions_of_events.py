"""Events have positions in commit order."""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import INTEGER, MOMENT, TEXT

revision = "0008"
down_revision = "0007"

# The events before this revision, in the order of their ids, in batches of 1,000. The id of such a batch is its first
# position.
BATCHED_EVENTS = (
    "SELECT id, number / 1000 * 1000 + 1 AS batch_id, number % 1000 AS batch_index"
    " FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS number FROM events) AS numbered"
)


def upgrade() -> None:
    """Add the batches of events, and number the events that there are."""
    _make_tables()
    if op.get_bind().dialect.name == "sqlite":
        _make_events_anew_on_sqlite()
    else:
        _add_to_events_on_postgres()
    op.execute(
        "INSERT INTO event_batches (first_position, batch_id, first_event_id, last_event_id, size)"
        " SELECT batch_id, batch_id, min(id), max(id), count(*) FROM events GROUP BY batch_id"
    )
    if op.get_bind().dialect.name != "sqlite":
        _make_sequence()


def _make_tables() -> None:
    op.create_table(
        "event_batches",
        sa.Column("first_position", INTEGER, primary_key=True),
        sa.Column("batch_id", INTEGER, nullable=False),
        sa.Column("first_event_id", TEXT, nullable=False),
        sa.Column("last_event_id", TEXT, nullable=False),
        sa.Column("size", INTEGER, nullable=False),
        sa.UniqueConstraint("batch_id", name="event_batches_batch_id_key"),
        sa.CheckConstraint("first_position >= 1 AND size >= 1", name="event_batches_positions_check"),
        sqlite_strict=True,
    )
    op.create_table(
        "event_batches_unnumbered",
        sa.Column("batch_id", INTEGER, nullable=False),
        sa.Column("first_event_id", TEXT, nullable=False),
        sa.Column("last_event_id", TEXT, nullable=False),
        sa.Column("size", INTEGER, nullable=False),
        sqlite_strict=True,
        postgresql_with={"autovacuum_vacuum_scale_factor": 0, "autovacuum_vacuum_threshold": 1000},
    )


def _add_to_events_on_postgres() -> None:
    for name in ("batch_id", "batch_index"):
        op.add_column("events", sa.Column(name, INTEGER))
    set_both = "batch_id = batched.batch_id, batch_index = batched.batch_index"
    op.execute(f"UPDATE events SET {set_both} FROM ({BATCHED_EVENTS}) AS batched WHERE batched.id = events.id")  # noqa: S608 - constants.
    for name in ("batch_id", "batch_index"):
        op.alter_column("events", name, nullable=False)


def _make_sequence() -> None:
    newest = op.get_bind().scalar(sa.text("SELECT max(batch_id) FROM event_batches")) or 0
    op.execute(sa.schema.CreateSequence(sa.Sequence("event_batch_ids", start=newest + 1)))


def _make_events_anew_on_sqlite() -> None:
    """SQLite adds no column that may not be null: the rows move."""
    op.rename_table("events", "before")
    _make_events()
    names = "id, type, object_id, sequence, customer_id, merchant_id, created_at, data, batch_id, batch_index"
    batched = BATCHED_EVENTS.replace("FROM events", "FROM before")
    op.execute(f"INSERT INTO events ({names}) SELECT {names} FROM before JOIN ({batched}) USING (id)")  # noqa: S608 - constants.
    op.drop_table("before")


def _make_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("object_id", TEXT, nullable=False),
        sa.Column("sequence", INTEGER, nullable=False),
        sa.Column("customer_id", TEXT),
        sa.Column("merchant_id", TEXT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("data", TEXT, nullable=False),
        sa.Column("batch_id", INTEGER, nullable=False),
        sa.Column("batch_index", INTEGER, nullable=False),
        sqlite_strict=True,
    )
