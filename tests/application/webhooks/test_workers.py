"""Several workers, and what happens when one dies, stands still, stops, or loses its storage."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from typing_extensions import override

from gateway.adapters.memory import MemoryDatabase
from gateway.adapters.memory.deliveries import MemoryDeliveries
from gateway.application.events.delivery_limits import DeliveryLimits
from gateway.application.ports.delivery_records import (
    Candidates,
    DeliveryOutcome,
    DueDelivery,
    QueueState,
    Recording,
    WorkerId,
)
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.domain.webhook_endpoint import DisabledReason
from support.virtual_time import in_virtual_time, until
from support.webhook_scene import FAILED, OK, WebhookScene, always, failing_first


class FailingDeliveries(MemoryDeliveries):
    """A storage that goes away, or loses what is recorded, and counts the steps of the fan-out."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.is_away = False
        self.loses_recordings = False
        self.steps = 0

    @override
    async def candidates(self, *, after: int, limit: int) -> Candidates:
        self.steps += 1
        self._check()
        return await super().candidates(after=after, limit=limit)

    @override
    async def due(self, *arguments: object, **named: object) -> Sequence[DueDelivery]:
        self._check()
        return await super().due(*arguments, **named)  # type: ignore[arg-type]

    @override
    async def record(
        self, worker: WorkerId, recordings: Sequence[Recording], states: Sequence[QueueState] = ()
    ) -> None:
        self._check()
        if self.loses_recordings:
            await asyncio.Event().wait()
        await super().record(worker, recordings, states)

    def _check(self) -> None:
        if self.is_away:
            raise StorageUnavailable("away")


def test_workers_share_the_endpoints() -> None:
    async def run() -> None:
        limits = DeliveryLimits(endpoints_max=4)
        scene = WebhookScene(limits=limits)
        endpoints = [scene.endpoint(always(OK, seconds=0.3)) for _ in range(8)]
        async with scene.dispatching(), scene.dispatching(), scene.dispatching():
            for _ in range(20):
                await scene.events([None] * 5)
                await asyncio.sleep(0.3)
            await asyncio.sleep(10)
        for endpoint in endpoints:
            taken = scene.receivers.taken(endpoint)
            assert len(taken) == len(set(taken)) == 100
        assert len({each.worker for each in scene.receivers.received}) == 3

    in_virtual_time(run)


def test_without_an_endpoint_commits_do_not_wake_the_fan_out() -> None:
    """A payment costs nothing more. The first endpoint gets its events within a second all the same."""

    async def run() -> None:
        scene = WebhookScene()
        deliveries = FailingDeliveries(scene.database)
        async with scene.dispatching(scene.dispatcher(storage=replace(scene.storage, deliveries=deliveries))):
            for _ in range(200):
                await scene.event()
                await asyncio.sleep(0.01)
            assert deliveries.steps <= 6
            await asyncio.sleep(1)
            endpoint = scene.endpoint()
            event = await scene.event()
            await until(lambda: bool(scene.receivers.of(endpoint)), seconds_max=1)
        [received] = scene.receivers.of(endpoint)
        assert received.event_id == event.id

    in_virtual_time(run)


def test_what_was_sent_and_not_recorded_is_sent_again() -> None:
    """A worker dies in between: the same id, the same bytes, by another worker, after the lease has run out."""

    async def run() -> None:
        scene = WebhookScene()
        endpoint = scene.endpoint()
        deliveries = FailingDeliveries(scene.database)
        deliveries.loses_recordings = True
        dying = scene.dispatcher(storage=replace(scene.storage, deliveries=deliveries))
        work = asyncio.create_task(dying.run(asyncio.Event()))
        await asyncio.sleep(0.1)
        event = await scene.event()
        await until(lambda: bool(scene.receivers.of(endpoint)), seconds_max=5)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        async with scene.dispatching():
            await asyncio.sleep(DeliveryLimits().lease_seconds - 2)
            assert len(scene.receivers.of(endpoint)) == 1
            await asyncio.sleep(5)
        first, second = scene.receivers.of(endpoint)
        assert first.event_id == second.event_id == event.id
        assert first.body == second.body
        assert first.worker != second.worker
        assert await scene.outcomes(endpoint) == [DeliveryOutcome.DELIVERED]

    in_virtual_time(run)


def test_the_first_failure_after_a_change_outlives_the_worker_that_saw_it() -> None:
    """The receiver failed before the change too. The worker is killed in a turn that goes on, since a request hangs."""

    async def run() -> None:
        scene = WebhookScene()
        endpoint = scene.endpoint(always(FAILED))
        async with scene.dispatching():
            await scene.event()
            await asyncio.sleep(1)
        queue = scene.database.delivery_queues[endpoint.id]
        first_failure = queue.failing_since
        await asyncio.sleep(60)
        changed_at = scene.clock()
        scene.put(replace(endpoint, updated_at=changed_at))
        seconds = iter([0.0])
        scene.receivers.behaviours[endpoint.url] = lambda *_: (FAILED, next(seconds, 3_600.0))
        await scene.event()
        work = asyncio.create_task(scene.dispatcher().run(asyncio.Event()))
        await asyncio.sleep(10)
        assert len(scene.receivers.of(endpoint)) == 3
        assert scene.receivers.in_flight[endpoint.url] == 1
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        assert first_failure is not None
        assert queue.failing_since is not None
        assert first_failure < changed_at <= queue.failing_since

    in_virtual_time(run)


def test_a_worker_that_was_overtaken_sends_nothing_further() -> None:
    """It stood still for so long that its lease ran out, and another worker took the endpoint over."""

    async def run() -> None:
        scene = WebhookScene(limits=DeliveryLimits(lease_seconds=3.0, sends_per_endpoint_max=1))
        endpoint = scene.endpoint(always(OK, seconds=0.5))
        standing = scene.dispatcher()
        async with scene.dispatching(standing):
            await scene.events([1] * 20)
            await asyncio.sleep(1.2)
            # As if another worker had found the lease run out.
            queue = scene.database.delivery_queues[endpoint.id]
            queue.leased_by, queue.leased_until = WorkerId("wrk_other"), scene.clock() + timedelta(seconds=5.5)
            await asyncio.sleep(2)
            seen = len(scene.receivers.of(endpoint))
            await asyncio.sleep(2)
            assert len(scene.receivers.of(endpoint)) == seen
            await asyncio.sleep(30)
        assert len(set(scene.receivers.taken(endpoint))) == 20

    in_virtual_time(run)


def test_a_worker_that_stops_finishes_its_requests_and_gives_its_leases_back() -> None:
    async def run() -> None:
        scene = WebhookScene()
        endpoint = scene.endpoint(always(OK, seconds=3.0))
        async with scene.dispatching():
            await scene.events([None] * 10)
            await asyncio.sleep(1)
            begun = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - begun < 4
        started = len(scene.receivers.of(endpoint))
        outcomes = await scene.outcomes(endpoint)
        assert outcomes.count(DeliveryOutcome.DELIVERED) == started
        assert outcomes.count(None) == 10 - started > 0
        async with scene.dispatching():
            await asyncio.sleep(30)
        assert len(scene.receivers.of(endpoint)) == 10, "at once, and none twice"

    in_virtual_time(run)


def test_a_worker_that_stops_does_not_wait_for_ever() -> None:
    async def run() -> None:
        scene = WebhookScene(limits=DeliveryLimits(stop_seconds=2.0))
        endpoint = scene.endpoint(always(OK, seconds=60.0))
        async with scene.dispatching():
            await scene.event()
            await asyncio.sleep(1)
            begun = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - begun < 5
        assert scene.receivers.in_flight[endpoint.url] == 0
        async with scene.dispatching():
            await asyncio.sleep(1)
            assert len(scene.receivers.of(endpoint)) == 2, "the lease was given back"

    in_virtual_time(run)


def test_it_waits_while_the_storage_is_away(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        scene = WebhookScene()
        endpoint = scene.endpoint(always(OK, seconds=0.2))
        deliveries = FailingDeliveries(scene.database)
        async with scene.dispatching(scene.dispatcher(storage=replace(scene.storage, deliveries=deliveries))):
            await scene.events([None] * 50)
            await asyncio.sleep(0.3)
            deliveries.is_away = True
            await asyncio.sleep(60)
            sent = len(scene.receivers.of(endpoint))
            deliveries.is_away = False
            await scene.events([None] * 50)
            await asyncio.sleep(60)
        assert sent < 50
        assert set(await scene.outcomes(endpoint)) == {DeliveryOutcome.DELIVERED}
        taken = scene.receivers.taken(endpoint)
        assert len(taken) == len(set(taken)) == 100

    in_virtual_time(run)
    assert {"webhook_dispatcher_waits", "webhook_recorder_waits"} <= {each.message for each in caplog.records}


def test_a_worker_that_stops_while_the_storage_is_away_ends() -> None:
    async def run() -> None:
        scene = WebhookScene(limits=DeliveryLimits(stop_seconds=2.0))
        scene.endpoint()
        deliveries = FailingDeliveries(scene.database)
        async with scene.dispatching(scene.dispatcher(storage=replace(scene.storage, deliveries=deliveries))):
            await asyncio.sleep(0.3)
            deliveries.is_away = True
            await scene.event()
            await asyncio.sleep(3)
            begun = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - begun < 10

    in_virtual_time(run)


def test_what_waits_for_a_disabled_endpoint_is_canceled() -> None:
    """And what happens meanwhile is not queued. Enabled again, the endpoint gets what happens from then on."""

    async def run() -> None:
        scene = WebhookScene()
        endpoint = scene.endpoint(failing_first(1))
        async with scene.dispatching():
            waiting = await scene.events([None] * 3)
            await asyncio.sleep(1)
            scene.put(endpoint.disable(DisabledReason.BY_OWNER, now=scene.clock()))
            await asyncio.sleep(10)
            assert await scene.outcomes(endpoint) == [DeliveryOutcome.CANCELED] * 3
            missed = await scene.event()
            await asyncio.sleep(10)
            scene.put(endpoint)
            event = await scene.event()
            await asyncio.sleep(10)
        assert scene.receivers.taken(endpoint) == [event.id]
        assert {each.event_id for each in scene.receivers.of(endpoint)} == {event.id, *(each.id for each in waiting)}
        assert missed.id not in {each.event_id for each in await scene.deliveries(endpoint)}

    in_virtual_time(run)


def test_what_waits_for_a_deleted_endpoint_is_canceled_in_steps() -> None:
    async def run() -> None:
        scene = WebhookScene()
        endpoint = scene.endpoint(always(OK, seconds=2.0))
        async with scene.dispatching():
            await scene.events([None] * 2_500)
            await asyncio.sleep(1)
            del scene.database.webhook_endpoints[endpoint.id]
            await asyncio.sleep(30)
        outcomes = await scene.outcomes(endpoint)
        assert len(outcomes) == 2_500
        assert None not in outcomes
        assert outcomes.count(DeliveryOutcome.CANCELED) > 2_000

    in_virtual_time(run)


def test_each_worker_logs_what_it_has_done(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def run() -> None:
        scene = WebhookScene()
        scene.endpoint(failing_first(1))
        async with scene.dispatching():
            await scene.events([None] * 7)
            await asyncio.sleep(30)

    in_virtual_time(run)
    lines = [vars(each) for each in caplog.records if each.message == "webhooks_delivered"]
    assert sum(line.get("queued", 0) for line in lines) == 7
    assert sum(line.get("failed_attempts", 0) for line in lines) == 7
    assert sum(line.get("delivered", 0) for line in lines) == 7


def test_the_status_tells_what_waits() -> None:
    async def run() -> None:
        scene = WebhookScene()
        scene.endpoint(always(OK, seconds=5.0))
        dispatcher = scene.dispatcher()
        await scene.events([1] * 3)
        status = await dispatcher.status()
        assert (status.feed_lag, status.deliveries_waiting, status.oldest_delivery_seconds) == (3, 0, 0)
        async with scene.dispatching(dispatcher):
            await asyncio.sleep(2)
            status = await dispatcher.status()
            assert (status.feed_lag, status.deliveries_waiting, status.deliveries_in_flight) == (0, 3, 1)
            assert status.oldest_delivery_seconds == pytest.approx(2, abs=0.1)

    in_virtual_time(run)
