"""An endpoint gets the events that were committed after it, whatever the clocks of servers say, on every storage."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.adapters.memory import MemoryWebhookSender
from gateway.adapters.sql import migrate, open_sql_storage
from gateway.adapters.system.identifiers import TimeOrderedIds
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.events.fan_out import FanOut
from gateway.application.ports.delivery_records import DeliveryOutcome
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, Wanted
from gateway.application.webhooks import Webhooks
from gateway.contracts.history import OpenStorage
from gateway.contracts.records import NOW, a_payment, an_event, commit
from gateway.domain.event import Event
from gateway.domain.event_type import EventType
from gateway.domain.webhook_endpoint import EndpointId, WebhookEndpoint
from support.builders import MERCHANT, StandingClock, a_batch
from support.postgres import copy_database, local_postgres, new_database

DAY = timedelta(days=1)


@pytest.fixture
def webhooks(storage: Storage) -> Webhooks:
    """Of a server whose clock shows `NOW`."""
    return webhooks_at(storage, NOW)


def webhooks_at(storage: Storage, now: datetime) -> Webhooks:
    batch = a_batch(storage, StandingClock(now))
    return Webhooks(
        executor=CommandExecutor(OneByOne(batch.run), batch.identifiers),
        stored=storage.webhook_endpoints,
        feed=storage.events,
        sender=MemoryWebhookSender(),
    )


async def created(webhooks: Webhooks) -> WebhookEndpoint:
    return await webhooks.create(owner_id=MERCHANT, url="https://shop.example/webhooks", events=["*"])


def an_event_at(number: int, created_at: datetime) -> Event:
    """An event of a server whose clock shows this moment."""
    event = an_event(number, a_payment(number), EventType.PAYMENT_CAPTURED)
    return replace(event, merchant_id=MERCHANT, created_at=created_at)


async def queued(storage: Storage, endpoint_id: EndpointId) -> Sequence[str]:
    """The events that the fan-out has queued for an endpoint, the oldest first."""
    clock = StandingClock()
    ids = TimeOrderedIds(clock)
    fan_out = FanOut(storage.deliveries, storage.event_cursors, storage.webhook_endpoints, clock, ids)
    while (await fan_out.step()).moved:
        pass
    outcomes = [None, *DeliveryOutcome]
    found = await storage.deliveries.deliveries(endpoint_id, outcomes, before=None, limit=100)
    return [each.event_id for each in sorted(found, key=lambda each: each.position)]


@pytest.mark.parametrize("server", [-DAY, timedelta(), DAY], ids=["a day behind", "right", "a day ahead"])
async def test_an_endpoint_gets_what_is_committed_after_it_and_nothing_from_before(
    storage: Storage, webhooks: Webhooks, server: timedelta
) -> None:
    before, after = an_event_at(2, NOW + server), an_event_at(1, NOW + server)
    await commit(storage, Changes(events_new=[before]))
    endpoint = await created(webhooks)
    await commit(storage, Changes(events_new=[after]))
    assert await queued(storage, endpoint.id) == [after.id]


@pytest.mark.parametrize("server", [-DAY, DAY], ids=["a day behind", "a day ahead"])
async def test_the_clock_of_the_server_that_creates_an_endpoint_does_not_matter(
    storage: Storage, server: timedelta
) -> None:
    before, after = an_event_at(1, NOW), an_event_at(2, NOW)
    await commit(storage, Changes(events_new=[before]))
    endpoint = await created(webhooks_at(storage, NOW + server))
    await commit(storage, Changes(events_new=[after]))
    assert await queued(storage, endpoint.id) == [after.id]


async def test_what_is_committed_while_an_endpoint_is_created_is_sent(storage: Storage, webhooks: Webhooks) -> None:
    """The position is read before the endpoint is committed: not too little is sent, if not exactly what follows."""
    command = await webhooks.create_command(owner_id=MERCHANT, url="https://shop.example/webhooks", events=["*"])
    meanwhile = an_event_at(1, NOW - DAY)
    await commit(storage, Changes(events_new=[meanwhile]))
    endpoint = await webhooks.executor.execute(command)
    assert await queued(storage, endpoint.id) == [meanwhile.id]


async def test_an_endpoint_that_is_changed_or_enabled_again_keeps_its_position(
    storage: Storage, webhooks: Webhooks
) -> None:
    await commit(storage, Changes(events_new=[an_event_at(1, NOW)]))
    endpoint = await created(webhooks)
    await webhooks.change(endpoint.id, enabled=False)
    await webhooks.change(endpoint.id, enabled=True, description="on again")
    await webhooks.rotate_secret(endpoint.id)
    after = an_event_at(2, NOW - DAY)
    await commit(storage, Changes(events_new=[after]))
    stored = await storage.webhook_endpoints.endpoint(endpoint.id)
    assert stored is not None
    assert stored.after_position == endpoint.after_position == 1
    assert after.id in await queued(storage, endpoint.id)


async def test_an_event_that_was_begun_before_an_endpoint_and_committed_after_it_is_sent(
    open_postgres: OpenStorage,
) -> None:
    """It has lower ids and an earlier time. On the other storages, one transaction runs at a time."""
    async with open_postgres() as storage, storage.unit_of_work() as work:
        await work.load(Wanted())
        endpoint = await created(webhooks_at(storage, NOW))
        event = an_event_at(1, NOW - DAY)
        await work.commit(Changes(events_new=[event]))
        assert await queued(storage, endpoint.id) == [event.id]


async def test_after_a_restore_into_another_cluster_an_endpoint_begins_where_it_began(empty_postgres_url: str) -> None:
    """Positions are rows. An event that had none when it was dumped gets one there."""
    await migrate(empty_postgres_url)
    before, unnumbered, later = (an_event_at(number, NOW - DAY) for number in (3, 2, 1))
    async with open_sql_storage(empty_postgres_url) as storage:
        await commit(storage, Changes(events_new=[before]))
        endpoint = await created(webhooks_at(storage, NOW))
        await commit(storage, Changes(events_new=[unnumbered]))
    with local_postgres() as another:
        restored = await new_database(another, "restored")
        copy_database(empty_postgres_url, restored)
        async with open_sql_storage(restored) as storage:
            assert await storage.webhook_endpoints.endpoint(endpoint.id) == endpoint
            await commit(storage, Changes(events_new=[later]))
            assert await queued(storage, endpoint.id) == [unnumbered.id, later.id]


async def test_postgres_tells_the_time_that_all_processes_share(postgres_url: str) -> None:
    async with open_sql_storage(postgres_url) as one, open_sql_storage(postgres_url) as other:
        assert one.time is not None
        assert other.time is not None
        times = [await one.time(), await other.time(), await one.time()]
    assert times == sorted(times)
    assert abs(times[0] - datetime.now(UTC)) < timedelta(minutes=1)


async def test_sqlite_tells_no_time(tmp_path: Path) -> None:
    """Its processes run on one machine."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    await migrate(url)
    async with open_sql_storage(url) as storage:
        assert storage.time is None
