"""Endpoints know their position in the feed, and plans of deliveries know when they were made (docs/decisions/0037)."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import INTEGER, MOMENT, TEXT

revision = "0016"
down_revision = "0015"

TOLERANCE = timedelta(seconds=5)
"""The rule until now: an event that is older than its endpoint by more is not sent to it."""
EVENTS_PER_READ = 10_000

CURSOR = sa.text("SELECT position FROM event_cursors WHERE name = 'webhooks'")
ENDPOINTS = sa.text("SELECT id, created_at FROM webhook_endpoints").columns(
    sa.column("id", TEXT), sa.column("created_at", MOMENT)
)
EVENTS = {
    dialect: sa.text(
        f"""
        SELECT first_position + event.batch_index AS position, event.created_at AS created_at
        FROM event_batches AS batch {events}
        WHERE first_position >= coalesce(
            (SELECT max(first_position) FROM event_batches WHERE first_position <= :after), 0
        ) AND first_position + event.batch_index > :after
        ORDER BY first_position, event.batch_index LIMIT :limit
        """  # noqa: S608 - made of the constants below.
    ).columns(sa.column("position", INTEGER), sa.column("created_at", MOMENT))
    for dialect, events in {
        "postgresql": """JOIN LATERAL (
            SELECT * FROM events
            WHERE id BETWEEN first_event_id AND last_event_id AND batch_id = batch.batch_id LIMIT size
        ) AS event ON true""",
        "sqlite": """CROSS JOIN events AS event
            ON event.id BETWEEN first_event_id AND last_event_id AND event.batch_id = batch.batch_id""",
    }.items()
}
SET_POSITION = sa.text("UPDATE webhook_endpoints SET after_position = :after_position WHERE id = :id")

WAITING = "due_at IS NOT NULL"
DELIVERY_INDEXES = (
    ("webhook_deliveries_due_idx", ["endpoint_id", "due_at", "position"], WAITING),
    ("webhook_deliveries_object_idx", ["endpoint_id", "object_id", "position"], WAITING),
    ("webhook_deliveries_waiting_idx", ["created_at"], WAITING),
    ("webhook_deliveries_list_idx", ["endpoint_id", "outcome", "id"], None),
    ("webhook_deliveries_ended_at_idx", ["ended_at"], "ended_at IS NOT NULL"),
)
NEW_DELIVERY_INDEXES = (("webhook_deliveries_planned_at_idx", ["planned_at"], WAITING),)
QUEUE_INDEXES = (("webhook_queues_due_at_idx", ["is_slow", "due_at"], WAITING),)
NEW_QUEUE_INDEXES = (("webhook_queues_planned_at_idx", ["planned_at"], WAITING),)
ENDPOINT_INDEXES = (
    ("webhook_endpoints_owner_id_idx", ["owner_id", "id"], None),
    ("webhook_endpoints_all_merchants_idx", ["id"], "all_merchants = 1"),
)


def upgrade() -> None:
    """Add the columns. All may be null: processes of the version before, which do not know them, go on writing."""
    # Read before the tables are locked: there may be many events that no worker has looked at.
    positions = _positions(op.get_bind())
    if op.get_context().dialect.name == "sqlite":
        _make_tables_anew_on_sqlite()
    else:
        op.add_column("webhook_endpoints", sa.Column("after_position", INTEGER))
        op.add_column("webhook_queues", sa.Column("planned_at", MOMENT))
        op.add_column("webhook_queues", sa.Column("paused_at", MOMENT))
        op.add_column("webhook_deliveries", sa.Column("planned_at", MOMENT))
    _make_indexes("webhook_queues", NEW_QUEUE_INDEXES)
    _make_indexes("webhook_deliveries", NEW_DELIVERY_INDEXES)
    if positions:
        op.get_bind().execute(SET_POSITION, positions)


def _positions(connection: sa.Connection) -> Sequence[Mapping[str, Any]]:
    """Where the events of each endpoint begin: with the first one that its time does not exclude.

    Only events that the fan-out has not looked at matter: they are read once, in the order of the feed.
    """
    endpoints = connection.execute(ENDPOINTS).all()
    if not endpoints:
        return ()
    until = connection.scalar(CURSOR) or 0
    latest: list[datetime] = []
    """The time of each event that is later than all events before it."""
    before: list[int] = []
    """The position before each of these."""
    while events := connection.execute(
        EVENTS[connection.dialect.name], {"after": until, "limit": EVENTS_PER_READ}
    ).all():
        for event in events:
            if not latest or event.created_at > latest[-1]:
                latest.append(event.created_at)
                before.append(event.position - 1)
        until = events[-1].position
    before.append(until)
    return [
        {"id": endpoint.id, "after_position": before[bisect_left(latest, endpoint.created_at - TOLERANCE)]}
        for endpoint in endpoints
    ]


def _make_indexes(table: str, indexes: Sequence[tuple[str, list[str], str | None]]) -> None:
    for name, columns, where in indexes:
        there = None if where is None else sa.text(where)
        op.create_index(name, table, columns, postgresql_where=there, sqlite_where=there)


def _make_tables_anew_on_sqlite() -> None:
    """SQLite adds a column behind the constraints: for tables that read as they were declared, the rows move."""
    _make_anew(
        "webhook_endpoints",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("owner_id", TEXT, nullable=False),
        sa.Column("all_merchants", INTEGER, nullable=False),
        sa.Column("url", TEXT, nullable=False),
        sa.Column("events", TEXT, nullable=False),
        sa.Column("description", TEXT),
        sa.Column("disabled_reason", TEXT),
        sa.Column("secret", TEXT, nullable=False),
        sa.Column("previous_secret", TEXT),
        sa.Column("previous_secret_expires_at", MOMENT),
        sa.Column("sequence", INTEGER, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("after_position", INTEGER),
        sa.CheckConstraint("all_merchants IN (0, 1)", name="webhook_endpoints_all_merchants_check"),
        sa.CheckConstraint("sequence >= 0", name="webhook_endpoints_sequence_check"),
        new=1,
        indexes=ENDPOINT_INDEXES,
    )
    _make_anew(
        "webhook_queues",
        sa.Column("endpoint_id", TEXT, primary_key=True),
        sa.Column("due_at", MOMENT),
        sa.Column("is_slow", INTEGER, nullable=False),
        sa.Column("leased_by", TEXT),
        sa.Column("leased_until", MOMENT),
        sa.Column("paused_until", MOMENT),
        sa.Column("failing_since", MOMENT),
        sa.Column("planned_at", MOMENT),
        sa.Column("paused_at", MOMENT),
        sa.CheckConstraint("is_slow IN (0, 1)", name="webhook_queues_is_slow_check"),
        new=2,
        indexes=QUEUE_INDEXES,
    )
    _make_anew(
        "webhook_deliveries",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("endpoint_id", TEXT, nullable=False),
        sa.Column("event_id", TEXT, nullable=False),
        sa.Column("position", INTEGER, nullable=False),
        sa.Column("event_type", TEXT, nullable=False),
        sa.Column("object_id", TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.Column("outcome", TEXT),
        sa.Column("attempts", TEXT, nullable=False),
        sa.Column("planned_at", MOMENT),
        sa.CheckConstraint(
            "(due_at IS NULL) = (ended_at IS NOT NULL) AND (due_at IS NULL) = (outcome IS NOT NULL)",
            name="webhook_deliveries_outcome_check",
        ),
        new=1,
        indexes=DELIVERY_INDEXES,
    )


def _make_anew(table: str, *parts: Any, new: int, indexes: Sequence[tuple[str, list[str], str | None]]) -> None:
    """Make a table with so many new columns, which are its last ones, and move the rows."""
    op.rename_table(table, f"{table}_before")
    op.create_table(table, *parts, sqlite_strict=True)
    op.execute(f"INSERT INTO {table} SELECT *{', NULL' * new} FROM {table}_before")  # noqa: S608 - constants.
    op.drop_table(f"{table}_before")
    _make_indexes(table, indexes)
