"""What stands behind the row of an answer: the data of its event."""

from typing import Final

from sqlalchemy import select

from gateway.adapters.sql.tables import answers, events

DATA_OF_EVENT: Final = select(events.c.data).where(events.c.id == answers.c.event_id).scalar_subquery().label("data")
