"""Migration 0008: the events that there are stand in the feed, in the order of their ids, before all new ones."""

from typing import Any

from sqlalchemy import Connection, insert

from gateway.adapters.sql import migrate, open_sql_storage
from gateway.adapters.sql.rows.events import event_values
from gateway.adapters.sql.tables.events import events as events_table
from gateway.application.ports.unit_of_work import Changes
from gateway.contracts.events import events, ids_of
from gateway.contracts.records import commit
from support.migrations import on_connection, to_revision

BEFORE = events(*range(1, 2_051))
"""More than two batches of those into which the migration divides them."""


def write(connection: Connection) -> None:
    names = [column.name for column in events_table.columns if not column.name.startswith("batch")]
    rows: list[dict[str, Any]] = [dict(zip(names, event_values(event, 0), strict=False)) for event in BEFORE]
    connection.execute(insert(events_table), rows)


async def test_events_of_before_come_first_in_the_order_of_their_ids(empty_url: str) -> None:
    await on_connection(empty_url, to_revision("0007"))
    await on_connection(empty_url, write)
    await migrate(empty_url)

    new = events(5_000, 4_000)
    async with open_sql_storage(empty_url) as storage:
        await commit(storage, Changes(events_new=new))
        found = [*await storage.events.read(after=0, limit=1_000)]
        while page := await storage.events.read(after=found[-1].position, limit=1_000):
            found.extend(page)
    assert ids_of(found) == ids_of([*BEFORE, *new])
    assert [event.position for event in found] == list(range(1, len(found) + 1))
    assert [event.data for event in found] == [event.data for event in [*BEFORE, *new]]


async def test_a_ledger_without_events_begins_with_position_1(empty_url: str) -> None:
    await migrate(empty_url)
    async with open_sql_storage(empty_url) as storage:
        await commit(storage, Changes(events_new=events(1)))
        assert [event.position for event in await storage.events.read(after=0, limit=10)] == [1]
