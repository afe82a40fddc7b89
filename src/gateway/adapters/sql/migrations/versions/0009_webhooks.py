"""Webhook endpoints, their deliveries, and positions of readers of the feed."""

import sqlalchemy as sa
from alembic import op

from gateway.adapters.sql.types import INTEGER, MOMENT, TEXT

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the tables. The dispatcher and event sinks begin with the events that are committed from now on."""
    _make_endpoints()
    _make_deliveries()
    _make_replays_and_cursors()


def _make_endpoints() -> None:
    op.create_table(
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
        sa.CheckConstraint("all_merchants IN (0, 1)", name="webhook_endpoints_all_merchants_check"),
        sa.CheckConstraint("sequence >= 0", name="webhook_endpoints_sequence_check"),
        sqlite_strict=True,
    )
    op.create_index("webhook_endpoints_owner_id_idx", "webhook_endpoints", ["owner_id", "id"])
    op.create_index(
        "webhook_endpoints_all_merchants_idx",
        "webhook_endpoints",
        ["id"],
        postgresql_where=sa.text("all_merchants = 1"),
        sqlite_where=sa.text("all_merchants = 1"),
    )
    op.create_table(
        "webhook_queues",
        sa.Column("endpoint_id", TEXT, primary_key=True),
        sa.Column("due_at", MOMENT),
        sa.Column("is_slow", INTEGER, nullable=False),
        sa.Column("leased_by", TEXT),
        sa.Column("leased_until", MOMENT),
        sa.Column("paused_until", MOMENT),
        sa.Column("failing_since", MOMENT),
        sa.CheckConstraint("is_slow IN (0, 1)", name="webhook_queues_is_slow_check"),
        sqlite_strict=True,
    )
    has_waiting = sa.text("due_at IS NOT NULL")
    op.create_index(
        "webhook_queues_due_at_idx",
        "webhook_queues",
        ["is_slow", "due_at"],
        postgresql_where=has_waiting,
        sqlite_where=has_waiting,
    )


def _make_deliveries() -> None:
    op.create_table(
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
        sa.CheckConstraint(
            "(due_at IS NULL) = (ended_at IS NOT NULL) AND (due_at IS NULL) = (outcome IS NOT NULL)",
            name="webhook_deliveries_outcome_check",
        ),
        sqlite_strict=True,
    )
    waiting, ended = sa.text("due_at IS NOT NULL"), sa.text("ended_at IS NOT NULL")
    for name, columns, where in (
        ("webhook_deliveries_due_idx", ["endpoint_id", "due_at", "position"], waiting),
        ("webhook_deliveries_object_idx", ["endpoint_id", "object_id", "position"], waiting),
        ("webhook_deliveries_waiting_idx", ["created_at"], waiting),
        ("webhook_deliveries_list_idx", ["endpoint_id", "outcome", "id"], None),
        ("webhook_deliveries_ended_at_idx", ["ended_at"], ended),
    ):
        op.create_index(name, "webhook_deliveries", columns, postgresql_where=where, sqlite_where=where)


def _make_replays_and_cursors() -> None:
    op.create_table(
        "webhook_replays",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("endpoint_id", TEXT, nullable=False),
        sa.Column("created_from", MOMENT, nullable=False),
        sa.Column("created_to", MOMENT, nullable=False),
        sa.Column("after_position", INTEGER, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "event_cursors",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("position", INTEGER, nullable=False),
        sqlite_strict=True,
    )
