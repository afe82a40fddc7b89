"""Events and answers as rows."""

from collections.abc import Collection, Mapping
from typing import Final

from gateway.adapters.sql.rows.values import Values
from gateway.adapters.sql.tables.events import event_batches, events
from gateway.adapters.sql.types import Found
from gateway.application.ports.batch_records import AnswerKey, StoredAnswer
from gateway.application.ports.events import FeedEvent
from gateway.domain.event import Event, EventId
from gateway.domain.event_type import EventType

EVENT_COLUMNS: Final = [each for each in events.c if each is not events.c.batch_id]
"""The columns of `event_values`."""

EVENT_BATCH_COLUMNS: Final = (
    event_batches.c.first_event_id,
    event_batches.c.last_event_id,
    event_batches.c.size,
)
"""The columns of `event_batch_values`."""

EVENT_TYPES: Final = {kind.value: kind for kind in EventType}


def event_values(event: Event, batch_index: int) -> Values:
    """The row of an event, without the id of its batch: the database makes it."""
    return (
        event.id,
        event.type.value,
        event.object.id,
        event.sequence,
        event.customer_id,
        event.merchant_id,
        event.created_at,
        event.data.decode(),
        batch_index,
    )


def event_batch_values(events: Collection[Event]) -> Values:
    """The batch of events of one transaction: between which ids they are, and how many."""
    ids = [event.id for event in events]
    return (min(ids), max(ids), len(ids))


def to_feed_event(row: Found) -> FeedEvent:
    """The event of a row that begins with a position, followed by the columns of `event_values` up to the data."""
    return FeedEvent(
        position=row[0],
        id=row[1],
        type=EVENT_TYPES[row[2]],
        object_id=row[3],
        sequence=row[4],
        customer_id=row[5],
        merchant_id=row[6],
        created_at=row[7],
        data=row[8].encode(),
    )


def answer_values(answer: StoredAnswer, data_of: Mapping[EventId, bytes]) -> Values:
    """The row of an answer. The data of the event that it names is left out: the event has it."""
    body = answer.body
    if answer.event_id is not None:
        body = body[: -len(data_of[answer.event_id])]
    return (*answer.key, answer.fingerprint, body, answer.created_at, answer.event_id)


def to_answer(row: Found) -> StoredAnswer:
    """The answer of a row, behind which stands the data of the event that the row names, if it names one."""
    owner_id, key, fingerprint, body, created_at, event_id, data = row
    if event_id is not None:
        body += data.encode()
    return StoredAnswer(key=AnswerKey(owner_id, key), fingerprint=fingerprint, body=body, created_at=created_at)
