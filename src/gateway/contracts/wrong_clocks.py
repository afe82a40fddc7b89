"""What every storage promises about webhooks of workers and servers whose clocks were wrong, and are right again."""

from dataclasses import replace
from datetime import datetime
from typing import Final

import pytest

from gateway.application.ports.deliveries import AHEAD_MAX
from gateway.application.ports.delivery_records import DeliveryOutcome, QueueState, Recording
from gateway.application.ports.storage import Storage
from gateway.contracts.deliveries import (
    ATTEMPT,
    ONE,
    TWO,
    A,
    B,
    an_event_in,
    at,
    delivery,
    delivery_id,
    due,
    ended,
    enqueue,
    lease,
    listed,
)
from gateway.contracts.records import NOW
from gateway.domain.webhook_endpoint import EndpointId

DAY_SECONDS: Final = 86_400
TOMORROW: Final = at(DAY_SECONDS)


class WrongClocksContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    async def test_what_a_fan_out_a_day_ahead_has_made_is_due_when_clocks_are_right(self, storage: Storage) -> None:
        """It was made now, too: the next events of its object wait for a minute, and not for a day."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, delivery(1, A, event, created_at=TOMORROW, due_at=TOMORROW))
        assert await lease(storage, ONE) == []
        assert await planned_anew(storage) == {A}
        assert [each.endpoint_id for each in await lease(storage, ONE)] == [A]
        [found] = await due(storage, A)
        assert (found.due_at, found.delivery.created_at) == (NOW, NOW)
        assert await planned_anew(storage) == set()

    async def test_a_retry_of_a_worker_a_day_ahead_waits_as_long_as_its_schedule_says(self, storage: Storage) -> None:
        """And keeps its attempts."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, delivery(1, A, event))
        await lease(storage, ONE)
        await storage.deliveries.record(ONE, [retry(1, due_before=NOW, seconds=300, planned_at=TOMORROW)])
        await storage.deliveries.release(ONE, [A], now=TOMORROW)
        assert await planned_anew(storage) == {A}
        [taken] = await lease(storage, TWO)
        assert taken.endpoint_id == A
        assert await due(storage, A) == []
        assert list(await storage.deliveries.release(TWO, [A], now=NOW)) == [(A, at(300))]
        assert await lease(storage, TWO, now=at(299)) == []
        assert [each.endpoint_id for each in await lease(storage, TWO, now=at(300))] == [A]
        [found] = await storage.deliveries.due(A, now=at(300), limit=10)
        assert (found.due_at, found.delivery.attempts, found.delivery.created_at) == (at(300), (ATTEMPT,), NOW)

    async def test_a_pause_of_a_worker_a_day_ahead_is_void_for_good(self, storage: Storage) -> None:
        """Also a day later."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, delivery(1, A, event))
        await lease(storage, ONE)
        pause = QueueState(
            endpoint_id=A, failing_since=None, paused_until=at(DAY_SECONDS + 5), paused_at=TOMORROW, is_slow=False
        )
        await storage.deliveries.record(ONE, [], [pause])
        await storage.deliveries.release(ONE, [A], now=NOW)
        assert [each.endpoint_id for each in await lease(storage, TWO)] == [A]
        assert list(await storage.deliveries.release(TWO, [A], now=NOW)) == [(A, NOW)]
        assert [each.endpoint_id for each in await lease(storage, ONE, now=TOMORROW)] == [A]

    async def test_a_long_pause_of_a_right_clock_lasts(self, storage: Storage) -> None:
        """A receiver may ask for a day."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, delivery(1, A, event))
        await lease(storage, ONE)
        pause = QueueState(endpoint_id=A, failing_since=None, paused_until=TOMORROW, paused_at=NOW, is_slow=False)
        await storage.deliveries.record(ONE, [], [pause])
        assert list(await storage.deliveries.release(ONE, [A], now=NOW)) == [(A, TOMORROW)]
        assert await lease(storage, TWO, now=at(DAY_SECONDS - 1)) == []
        assert [each.endpoint_id for each in await lease(storage, TWO, now=TOMORROW)] == [A]

    async def test_an_endpoint_that_a_worker_a_day_ahead_has_given_back_has_its_turn(self, storage: Storage) -> None:
        """Although its deliveries were planned by a right clock: it was to come behind the others of tomorrow."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, delivery(1, A, event))
        await lease(storage, ONE, now=TOMORROW)
        await storage.deliveries.release(ONE, [A], now=TOMORROW)
        assert await lease(storage, TWO) == []
        assert await planned_anew(storage) == {A}
        assert [each.endpoint_id for each in await lease(storage, TWO)] == [A]

    @pytest.mark.parametrize("ahead", [True, False])
    async def test_what_a_server_a_day_ahead_lets_be_delivered_again_is_due(
        self, storage: Storage, *, ahead: bool
    ) -> None:
        """Where a server whose clock is right asks once more, at once."""
        event = await an_event_in(storage, 1)
        await storage.deliveries.add([delivery(1, A, event, created_at=TOMORROW, due_at=TOMORROW)])
        if ahead:
            assert await planned_anew(storage) == {A}
        else:
            assert await storage.deliveries.add([delivery(2, A, event)]) == 0
            assert await planned_anew(storage) == set()
        assert [each.endpoint_id for each in await lease(storage, ONE)] == [A]
        assert [each.delivery.id for each in await due(storage, A)] == [delivery_id(1)]

    async def test_plans_of_right_clocks_are_left_alone(self, storage: Storage) -> None:
        """However far they reach, and if clocks differ a little."""
        event, other = await an_event_in(storage, 1), await an_event_in(storage, 2)
        nearly = at(AHEAD_MAX.total_seconds() - 0.001)
        await enqueue(
            storage, delivery(1, A, event), delivery(2, B, other, position=2, created_at=nearly, due_at=nearly)
        )
        await lease(storage, ONE)
        await storage.deliveries.record(ONE, [retry(1, due_before=NOW, seconds=DAY_SECONDS, planned_at=NOW)])
        await storage.deliveries.release(ONE, [A], now=nearly)
        assert await planned_anew(storage) == set()
        assert [each.due_at for each in (*await listed(storage, A), *await listed(storage, B))] == [TOMORROW, nearly]

    async def test_what_has_ended_is_not_planned_anew(self, storage: Storage) -> None:
        """By a clock that was ahead, or after it."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, delivery(1, A, event, created_at=TOMORROW, due_at=TOMORROW))
        await storage.deliveries.record(
            ONE, [ended(1, DeliveryOutcome.DELIVERED, due_before=TOMORROW, ended_at=TOMORROW)]
        )
        await planned_anew(storage)
        assert [each.outcome for each in await listed(storage, A)] == [DeliveryOutcome.DELIVERED]
        assert await due(storage, A) == []

    async def test_a_large_backlog_is_planned_anew_in_steps(self, storage: Storage) -> None:
        """Each delivery once."""
        event = await an_event_in(storage, 1)
        made = [
            replace(delivery(number, A if number % 2 else B, event), created_at=TOMORROW, due_at=TOMORROW)
            for number in range(1, 8)
        ]
        await enqueue(storage, *made)
        steps = 0
        while await storage.deliveries.plan_anew(now=NOW, limit=3):
            steps += 1
        assert steps == 3
        assert sorted(each.delivery.id for each in await due(storage, A, B)) == [each.id for each in made]


async def planned_anew(storage: Storage) -> set[EndpointId]:
    """The endpoints whose plans have begun anew `NOW`."""
    return {*await storage.deliveries.plan_anew(now=NOW, limit=100)}


def retry(number: int, *, due_before: datetime, seconds: float, planned_at: datetime) -> Recording:
    """Delivery `number` has failed, and is due again so long after its planning."""
    return Recording(
        delivery_id=delivery_id(number),
        due_before=due_before,
        due_at=planned_at + (at(seconds) - NOW),
        planned_at=planned_at,
        attempts=(ATTEMPT,),
    )
