"""Deliveries, replays and leases as rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.adapters.sql.engine import POSTGRES
from gateway.adapters.sql.rows.events import EVENT_TYPES
from gateway.adapters.sql.sqlalchemy_transaction import Parameters
from gateway.adapters.sql.types import Found
from gateway.application.ports.delivery_records import (
    Attempt,
    Delivery,
    DeliveryOutcome,
    DueDelivery,
    EventHead,
    Lease,
    Predecessor,
    Recording,
    Replay,
)
from gateway.application.ports.events import FeedEvent
from gateway.domain.webhook_endpoint import EndpointId

_encoder = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(tuple[Attempt, ...])

_TYPES: Final = {
    "position": "bigint",
    **dict.fromkeys(("created_at", "due_at", "due_before", "ended_at", "planned_at"), "timestamptz"),
}
NO_ATTEMPTS: Final = "[]"
OUTCOMES: Final[Mapping[str | None, DeliveryOutcome | None]] = {
    None: None,
    **{outcome.value: outcome for outcome in DeliveryOutcome},
}

NEW_DELIVERY: Final = ("id", "endpoint_id", "event_id", "position", "event_type", "object_id", "created_at", "due_at")
"""The columns of `new_delivery_values`."""
RECORDING: Final = ("id", "due_before", "due_at", "planned_at", "ended_at", "outcome", "attempts")
"""The columns of `recording_values`."""


def given_rows(dialect: str, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Parameters:
    """Rows as the parameters of a statement: one JSON text on Postgres, and one by one on SQLite.

    asyncpg asks of each element of an array whether it is an array itself, which costs more than the JSON.
    """
    given = [dict(zip(names, row, strict=True)) for row in rows]
    return {"rows": _encoder.encode(given).decode()} if dialect == POSTGRES else given


def rows_given(names: Sequence[str]) -> str:
    """The rows of `given_rows` in a statement on Postgres, as a table expression named `given`."""
    columns = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in names)
    return f"json_to_recordset(CAST(:rows AS json)) AS given({columns})"


def new_delivery_values(delivery: Delivery) -> tuple[Any, ...]:
    """The row of a delivery that was not attempted yet."""
    return (
        delivery.id,
        delivery.endpoint_id,
        delivery.event_id,
        delivery.position,
        delivery.event_type.value,
        delivery.object_id,
        delivery.created_at,
        delivery.due_at,
    )


def recording_values(recording: Recording) -> tuple[Any, ...]:
    """What becomes of a delivery."""
    return (
        recording.delivery_id,
        recording.due_before,
        recording.due_at,
        recording.planned_at,
        recording.ended_at,
        None if recording.outcome is None else recording.outcome.value,
        _encoder.encode(recording.attempts).decode(),
    )


def to_delivery(row: Found) -> Delivery:
    """The delivery of a row that begins with all columns of the table."""
    return Delivery(
        id=row[0],
        endpoint_id=row[1],
        event_id=row[2],
        position=row[3],
        event_type=EVENT_TYPES[row[4]],
        object_id=row[5],
        created_at=row[6],
        due_at=row[7],
        ended_at=row[8],
        outcome=OUTCOMES[row[9]],
        attempts=() if row[10] == NO_ATTEMPTS else _decoder.decode(row[10]),
    )


def to_due_delivery(row: Found) -> DueDelivery:
    """A delivery, the delivery before it, and its event, as `DUE` finds them."""
    delivery = to_delivery(row)
    predecessor_id, predecessor_due_at, predecessor_created_at = row[11:14]
    sequence, customer_id, merchant_id, created_at, data = row[14:19]
    event = predecessor = None
    if data is not None:
        event = FeedEvent(
            position=delivery.position,
            id=delivery.event_id,
            type=delivery.event_type,
            object_id=delivery.object_id,
            sequence=sequence,
            customer_id=customer_id,
            merchant_id=merchant_id,
            created_at=created_at,
            data=data.encode(),
        )
    if predecessor_id is not None:
        predecessor = Predecessor(id=predecessor_id, due_at=predecessor_due_at, created_at=predecessor_created_at)
    return DueDelivery(delivery=delivery, due_at=row[7], event=event, predecessor=predecessor)


def to_head(row: Found) -> EventHead:
    """The head of an event."""
    position, event_id, event_type, object_id, merchant_id = row
    return EventHead(
        position=position,
        id=event_id,
        type=EVENT_TYPES[event_type],
        object_id=object_id,
        merchant_id=merchant_id,
    )


def to_leases(rows: Sequence[Found]) -> list[Lease]:
    """Leases, as they are taken."""
    return [
        Lease(endpoint_id=EndpointId(endpoint_id), failing_since=failing_since, is_slow=bool(is_slow))
        for endpoint_id, failing_since, is_slow in rows
    ]


def to_replay(row: Found) -> Replay:
    """A replay."""
    replay_id, endpoint_id, created_from, created_to, after_position, created_at = row
    return Replay(
        id=replay_id,
        endpoint_id=endpoint_id,
        created_from=created_from,
        created_to=created_to,
        after_position=after_position,
        created_at=created_at,
    )
