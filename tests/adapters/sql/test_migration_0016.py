"""Migration 0016: endpoints of before get what they would have got, and processes of before go on beside it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert

from gateway.adapters.sql import migrate, open_sql_storage
from gateway.adapters.sql.rows.webhook_endpoints import webhook_endpoint_values
from gateway.adapters.sql.tables.webhooks import event_cursors, webhook_deliveries, webhook_endpoints, webhook_queues
from gateway.application.ports.deliveries import WEBHOOKS
from gateway.application.ports.unit_of_work import Changes
from gateway.contracts.records import NOW, a_payment, a_webhook_endpoint, an_event, commit, endpoint_id
from gateway.domain.event_type import EventType
from gateway.domain.webhook_endpoint import WebhookEndpoint
from support.migrations import on_connection, to_revision

NEW = ("after_position", "planned_at", "paused_at")


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def write(connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """As the version before, which does not know the new columns."""
    known = [{name: value for name, value in row.items() if name not in NEW} for row in rows]
    names = [column.name for column in table.columns if column.name not in NEW]
    columns = {name: known[0].get(name) for name in names}
    connection.execute(insert(table).values(columns), known)


def endpoint_row(endpoint: WebhookEndpoint) -> dict[str, Any]:
    names = [column.name for column in webhook_endpoints.columns]
    return dict(zip(names, webhook_endpoint_values(endpoint), strict=True))


async def with_events(url: str, times: Sequence[float], *, looked_at: int) -> None:
    """A database of the version before, with events of these times, of which the fan-out has looked at the first."""
    # Events are written as they were: their tables have not changed.
    await on_connection(url, to_revision("0015"))
    async with open_sql_storage(url) as storage:
        for number, seconds in enumerate(times, 1):
            event = an_event(number, a_payment(number), EventType.PAYMENT_CAPTURED, created_at=at(seconds))
            await commit(storage, Changes(events_new=[event]))
        assert await storage.events.newest() == len(times)
    if looked_at:
        cursor = [{"name": WEBHOOKS, "position": looked_at}]
        await on_connection(url, lambda connection: write(connection, event_cursors, cursor))


async def positions(url: str, *seconds: float) -> list[int]:
    """Where the events of endpoints begin that were created at these times, after the migration."""
    endpoints = [a_webhook_endpoint(number, created_at=at(each)) for number, each in enumerate(seconds, 1)]
    rows = [endpoint_row(endpoint) for endpoint in endpoints]
    await on_connection(url, lambda connection: write(connection, webhook_endpoints, rows))
    await migrate(url)
    async with open_sql_storage(url) as storage:
        found = [await storage.webhook_endpoints.endpoint(each.id) for each in endpoints]
    assert found == [
        WebhookEndpoint(**{**vars_of(each), "after_position": stored.after_position})
        for each, stored in zip(endpoints, found, strict=True)
        if stored is not None
    ]
    return [each.after_position for each in found if each is not None]


def vars_of(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {name: getattr(endpoint, name) for name in WebhookEndpoint.__dataclass_fields__}


async def test_an_endpoint_begins_with_the_first_event_that_its_time_did_not_exclude(empty_url: str) -> None:
    """Of those that no worker had looked at: the others are over. An event of a slow clock behind it is sent too."""
    await with_events(empty_url, [0, 10, 20, 1, 30], looked_at=1)
    # Older than all, at the time of the second event, within 5 s of the third, between it and the last, newer than all.
    assert await positions(empty_url, -100, 10, 24, 26, 36) == [1, 1, 2, 4, 5]


async def test_without_a_worker_until_now_all_events_count(empty_url: str) -> None:
    await with_events(empty_url, [0, 10], looked_at=0)
    assert await positions(empty_url, -100, 15, 16) == [0, 1, 2]


async def test_without_events_endpoints_begin_with_the_first_one(empty_url: str) -> None:
    await with_events(empty_url, [], looked_at=0)
    assert await positions(empty_url, 0) == [0]


async def test_endpoints_queues_and_deliveries_are_kept_and_may_still_be_written_by_the_version_before(
    empty_url: str,
) -> None:
    def rows(number: int) -> list[tuple[Any, dict[str, Any]]]:
        moments = {"created_at": NOW, "due_at": NOW, "ended_at": None}
        delivery = {"id": f"dlv_{number}", "endpoint_id": endpoint_id(number), "event_id": "evt_1", "position": 1}
        what = {"event_type": "payment.captured", "object_id": "pay_1", "outcome": None, "attempts": "[]"}
        queue = {"endpoint_id": endpoint_id(number), "due_at": NOW, "is_slow": 0, "paused_until": at(60)}
        return [
            (webhook_endpoints, endpoint_row(a_webhook_endpoint(number))),
            (webhook_queues, {**queue, "leased_by": None, "leased_until": None, "failing_since": at(-1)}),
            (webhook_deliveries, {**delivery, **what, **moments}),
        ]

    def write_all(number: int) -> Any:
        def work(connection: Connection) -> None:
            for table, row in rows(number):
                write(connection, table, [row])

        return work

    await on_connection(empty_url, to_revision("0015"))
    await on_connection(empty_url, write_all(1))
    await migrate(empty_url)
    await on_connection(empty_url, write_all(2))
    async with open_sql_storage(empty_url) as storage:
        for number in (1, 2):
            assert await storage.webhook_endpoints.endpoint(endpoint_id(number)) == a_webhook_endpoint(number)
            [due] = await storage.deliveries.due(endpoint_id(number), now=NOW, limit=10)
            assert due.due_at == NOW
        leasing = {"now": at(60), "until": at(90), "fast_max": 10, "slow_max": 10}
        assert await storage.deliveries.plan_anew(now=at(-86_400), limit=10) == ()
        assert len(await storage.deliveries.lease("wrk_1", **{**leasing, "now": at(59)})) == 0  # type: ignore[arg-type]
        leases = await storage.deliveries.lease("wrk_1", **leasing)  # type: ignore[arg-type]  # as the type is.
        assert {(each.endpoint_id, each.failing_since) for each in leases} == {
            (endpoint_id(1), at(-1)),
            (endpoint_id(2), at(-1)),
        }
