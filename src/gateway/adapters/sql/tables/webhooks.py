"""Tables of webhook endpoints, of deliveries, and of how far readers of the feed have come."""

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, literal_column

from gateway.adapters.sql.tables.base import integers, key, table, text
from gateway.adapters.sql.types import INTEGER, MOMENT

webhook_endpoints: Final = table(
    "webhook_endpoints",
    key("id"),
    text("owner_id"),
    # 1 for the endpoints of operators: they get the events of all merchants.
    *integers("all_merchants"),
    text("url"),
    # A JSON array of filters: `payment.captured`, `payment.*`, `*`.
    text("events"),
    text("description", nullable=True),
    # Null while the endpoint is enabled.
    text("disabled_reason", nullable=True),
    text("secret"),
    text("previous_secret", nullable=True),
    Column("previous_secret_expires_at", MOMENT),
    *integers("sequence"),
    Column("created_at", MOMENT, nullable=False),
    Column("updated_at", MOMENT, nullable=False),
    # Events up to this position of the feed are not sent. Null if a process of a version before has made the endpoint.
    Column("after_position", INTEGER),
    CheckConstraint("all_merchants IN (0, 1)", name="webhook_endpoints_all_merchants_check"),
    CheckConstraint("sequence >= 0", name="webhook_endpoints_sequence_check"),
)

# The endpoints of an owner: for the owner, for the limit of their number, and for the dispatcher.
Index("webhook_endpoints_owner_id_idx", webhook_endpoints.c.owner_id, webhook_endpoints.c.id)

# The few endpoints for all merchants, among the many of merchants.
IS_FOR_ALL_MERCHANTS: Final = webhook_endpoints.c.all_merchants == literal_column("1")
Index(
    "webhook_endpoints_all_merchants_idx",
    webhook_endpoints.c.id,
    postgresql_where=IS_FOR_ALL_MERCHANTS,
    sqlite_where=IS_FOR_ALL_MERCHANTS,
)

# What the dispatcher knows of an endpoint. One worker at a time delivers to an endpoint: the one that holds the lease.
webhook_queues: Final = table(
    "webhook_queues",
    key("endpoint_id"),
    # Not later than the first waiting delivery is due; null if none waits. Exact whenever a lease is given back.
    Column("due_at", MOMENT),
    # 1 if the last holder of the lease found that the receiver fails or is slow.
    *integers("is_slow"),
    text("leased_by", nullable=True),
    Column("leased_until", MOMENT),
    # The receiver asked for a pause (429, 502, 504, Retry-After).
    Column("paused_until", MOMENT),
    # The first failure since the last success; null after a success.
    Column("failing_since", MOMENT),
    # When `due_at` and `paused_until` were decided, by the clock that decided: null in a version before.
    Column("planned_at", MOMENT),
    Column("paused_at", MOMENT),
    CheckConstraint("is_slow IN (0, 1)", name="webhook_queues_is_slow_check"),
)

# The endpoints with due deliveries, in the order in which they get their turns.
Index(
    "webhook_queues_due_at_idx",
    webhook_queues.c.is_slow,
    webhook_queues.c.due_at,
    postgresql_where=webhook_queues.c.due_at.is_not(None),
    sqlite_where=webhook_queues.c.due_at.is_not(None),
)
# The endpoints whose turn was planned by a clock that was ahead.
Index(
    "webhook_queues_planned_at_idx",
    webhook_queues.c.planned_at,
    postgresql_where=webhook_queues.c.due_at.is_not(None),
    sqlite_where=webhook_queues.c.due_at.is_not(None),
)

webhook_deliveries: Final = table(
    "webhook_deliveries",
    key("id"),
    text("endpoint_id"),
    text("event_id"),
    *integers("position"),
    text("event_type"),
    text("object_id"),
    Column("created_at", MOMENT, nullable=False),
    # When the next attempt is due. Null once the delivery has ended.
    Column("due_at", MOMENT),
    Column("ended_at", MOMENT),
    # `delivered`, `failed` or `canceled`; null while the delivery waits.
    text("outcome", nullable=True),
    # A JSON array of attempts.
    text("attempts"),
    # When `due_at` was decided, by the clock that decided: null in a version before.
    Column("planned_at", MOMENT),
    CheckConstraint(
        "(due_at IS NULL) = (ended_at IS NOT NULL) AND (due_at IS NULL) = (outcome IS NOT NULL)",
        name="webhook_deliveries_outcome_check",
    ),
)

_waiting = webhook_deliveries.c.due_at.is_not(None)
# The deliveries of an endpoint that are due.
Index(
    "webhook_deliveries_due_idx",
    webhook_deliveries.c.endpoint_id,
    webhook_deliveries.c.due_at,
    webhook_deliveries.c.position,
    postgresql_where=_waiting,
    sqlite_where=_waiting,
)
# Whether an earlier event of the same object waits.
Index(
    "webhook_deliveries_object_idx",
    webhook_deliveries.c.endpoint_id,
    webhook_deliveries.c.object_id,
    webhook_deliveries.c.position,
    postgresql_where=_waiting,
    sqlite_where=_waiting,
)
# The delivery that waits the longest.
Index(
    "webhook_deliveries_waiting_idx",
    webhook_deliveries.c.created_at,
    postgresql_where=_waiting,
    sqlite_where=_waiting,
)
# The deliveries that were planned by a clock that was ahead.
Index(
    "webhook_deliveries_planned_at_idx",
    webhook_deliveries.c.planned_at,
    postgresql_where=_waiting,
    sqlite_where=_waiting,
)
# The list of an endpoint's deliveries, of each outcome.
Index(
    "webhook_deliveries_list_idx",
    webhook_deliveries.c.endpoint_id,
    webhook_deliveries.c.outcome,
    webhook_deliveries.c.id,
)
# The deliveries that ended long ago, to delete them.
Index(
    "webhook_deliveries_ended_at_idx",
    webhook_deliveries.c.ended_at,
    postgresql_where=webhook_deliveries.c.ended_at.is_not(None),
    sqlite_where=webhook_deliveries.c.ended_at.is_not(None),
)

# Requests to deliver the events of a time range again. The dispatcher delivers them in steps, in the order of the feed.
webhook_replays: Final = table(
    "webhook_replays",
    key("id"),
    text("endpoint_id"),
    Column("created_from", MOMENT, nullable=False),
    Column("created_to", MOMENT, nullable=False),
    # The position of the last event that was looked at; 0 at first.
    *integers("after_position"),
    Column("created_at", MOMENT, nullable=False),
)

# How far a reader of the feed has come: the dispatcher, and each event sink.
event_cursors: Final = table("event_cursors", key("name"), *integers("position"))
