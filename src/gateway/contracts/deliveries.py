"""What every storage promises about deliveries to webhook endpoints."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from gateway.application.ports.deliveries import WEBHOOKS
from gateway.application.ports.delivery_records import (
    WAITING_COUNTED_MAX,
    Attempt,
    Backlog,
    Delivery,
    DeliveryId,
    DeliveryOutcome,
    DueDelivery,
    Predecessor,
    QueueState,
    Recording,
    Replay,
    ReplayId,
    WorkerId,
)
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes
from gateway.contracts.events import events, feed_event
from gateway.contracts.records import (
    NOW,
    a_payment,
    a_webhook_endpoint,
    an_event,
    commit,
    endpoint_id,
    identifier,
    user_id,
)
from gateway.domain.event import Event
from gateway.domain.event_type import EventType
from gateway.domain.user import SYSTEM
from gateway.domain.webhook_endpoint import DisabledReason, EndpointId

SECOND: Final = timedelta(seconds=1)
ONE, TWO = WorkerId("wrk_1"), WorkerId("wrk_2")
A: Final = endpoint_id(1)
B: Final = endpoint_id(2)
ALL: Final = (None, *DeliveryOutcome)
TIMEOUT_SECONDS: Final = 60
"""Longer than any storage may take."""
ATTEMPT: Final = Attempt(at=NOW, status=None, error="timeout", latency_ms=15_000)


def at(seconds: float) -> datetime:
    """So long after `NOW`."""
    return NOW + timedelta(seconds=seconds)


class DeliveriesContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    async def test_a_delivery_comes_back_with_every_field(self, storage: Storage) -> None:
        """Due, with its event; and in the list of its endpoint."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, delivery(1, A, event))
        [due] = await storage.deliveries.due(A, now=NOW, limit=10)
        assert due == DueDelivery(
            delivery=delivery(1, A, event), due_at=NOW, event=feed_event(event, 1), predecessor=None
        )
        assert list(await listed(storage, A)) == [delivery(1, A, event)]
        assert list(await listed(storage, B)) == []

    async def test_what_is_recorded_is_kept(self, storage: Storage) -> None:
        """Every attempt, when it is due again, and how it ends."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, delivery(1, A, event))
        second = Attempt(at=at(5), status=500, error=None, latency_ms=20)
        await storage.deliveries.record(ONE, [waiting(1, due_before=NOW, due_at=at(5), attempts=(ATTEMPT,))])
        assert list(await storage.deliveries.due(A, now=at(4.9), limit=10)) == []
        [due] = await storage.deliveries.due(A, now=at(5), limit=10)
        assert (due.due_at, due.delivery.attempts) == (at(5), (ATTEMPT,))
        last = ended(1, DeliveryOutcome.FAILED, due_before=at(5), ended_at=at(6), attempts=(ATTEMPT, second))
        await storage.deliveries.record(ONE, [last])
        assert list(await storage.deliveries.due(A, now=at(100), limit=10)) == []
        [found] = await listed(storage, A)
        assert found == replace(
            delivery(1, A, event),
            due_at=None,
            ended_at=at(6),
            outcome=DeliveryOutcome.FAILED,
            attempts=(ATTEMPT, second),
        )

    async def test_many_results_are_recorded_together(self, storage: Storage) -> None:
        """Of several endpoints, and each as it is."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, *(delivery(number, A if number % 2 else B, event) for number in range(1, 101)))
        await storage.deliveries.record(
            ONE,
            [
                ended(number, DeliveryOutcome.DELIVERED, due_before=NOW, ended_at=at(number))
                if number % 3
                else waiting(number, due_before=NOW, due_at=at(number), attempts=(ATTEMPT,) * (number % 4))
                for number in range(1, 101)
            ],
        )
        found = {each.id: each for endpoint in (A, B) for each in await listed(storage, endpoint)}
        for number in range(1, 101):
            each = found[delivery_id(number)]
            if number % 3:
                assert (each.ended_at, each.outcome) == (at(number), DeliveryOutcome.DELIVERED)
            else:
                assert (each.due_at, each.outcome, len(each.attempts)) == (at(number), None, number % 4)

    async def test_due_deliveries_are_in_the_order_of_their_times_and_positions(self, storage: Storage) -> None:
        """And no more than asked for."""
        made = [await an_event_in(storage, number) for number in range(1, 6)]
        times = (3, 1, 2, 1, 9)
        await enqueue(
            storage,
            *(
                delivery(number, A, event, position=6 - number, due_at=at(seconds))
                for number, (event, seconds) in enumerate(zip(made, times, strict=True), 1)
            ),
        )
        found = await storage.deliveries.due(A, now=at(3), limit=10)
        assert [each.delivery.id for each in found] == [delivery_id(number) for number in (4, 2, 3, 1)]
        first = await storage.deliveries.due(A, now=at(3), limit=2)
        assert [each.delivery.id for each in first] == [delivery_id(4), delivery_id(2)]

    async def test_a_due_delivery_tells_the_one_before_it(self, storage: Storage) -> None:
        """The waiting delivery of the same object and endpoint with the next lower position, due or not."""
        same = [await an_event_in(storage, number, payment=1) for number in (1, 2, 3)]
        other = await an_event_in(storage, 4, payment=2)
        await enqueue(
            storage,
            delivery(1, A, same[0], position=1, due_at=at(9)),
            delivery(2, A, same[1], position=2),
            delivery(3, A, same[2], position=3),
            delivery(4, A, other, position=4),
            delivery(5, B, same[2], position=3),
        )
        found = {each.delivery.id: each.predecessor for each in await due(storage, A, B)}
        assert found == {
            delivery_id(2): Predecessor(id=delivery_id(1), due_at=at(9), created_at=NOW),
            delivery_id(3): Predecessor(id=delivery_id(2), due_at=NOW, created_at=NOW),
            delivery_id(4): None,
            delivery_id(5): None,
        }
        await storage.deliveries.record(
            ONE,
            [
                ended(2, DeliveryOutcome.DELIVERED, due_before=NOW, ended_at=at(1)),
                ended(1, DeliveryOutcome.DELIVERED, due_before=at(9), ended_at=at(1)),
            ],
        )
        found = {each.delivery.id: each.predecessor for each in await due(storage, A, B)}
        assert found == dict.fromkeys(map(delivery_id, (3, 4, 5)))

    async def test_a_result_that_comes_too_late_changes_nothing(self, storage: Storage) -> None:
        """Another worker has attempted the delivery meanwhile. Only that it was delivered counts even then."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, *(delivery(number, A, event) for number in (1, 2, 3)))
        other = (ATTEMPT,)
        await storage.deliveries.record(
            TWO,
            [
                waiting(1, due_before=NOW, due_at=at(5), attempts=other),
                waiting(2, due_before=NOW, due_at=at(5), attempts=other),
                ended(3, DeliveryOutcome.DELIVERED, due_before=NOW, ended_at=at(1)),
            ],
        )
        await storage.deliveries.record(
            ONE,
            [
                waiting(1, due_before=NOW, due_at=at(7)),
                ended(2, DeliveryOutcome.DELIVERED, due_before=NOW, ended_at=at(2)),
                waiting(3, due_before=NOW, due_at=at(7)),
            ],
        )
        three, two, one = await listed(storage, A)
        assert (one.due_at, one.attempts) == (at(5), other)
        assert (two.outcome, two.ended_at) == (DeliveryOutcome.DELIVERED, at(2))
        assert (three.outcome, three.ended_at) == (DeliveryOutcome.DELIVERED, at(1))

    async def test_an_event_is_fanned_out_once(self, storage: Storage) -> None:
        """The cursor moves with the deliveries: of several fan-outs at once, one succeeds, and adds its own."""
        event = await an_event_in(storage, 1)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            done = await asyncio.gather(
                *(storage.deliveries.enqueue([delivery(number, A, event)], after=0, until=1) for number in range(1, 9))
            )
        assert sum(done) == 1
        assert [each.id for each in await listed(storage, A)] == [delivery_id(done.index(True) + 1)]
        assert await storage.event_cursors.position(WEBHOOKS) == 1
        assert not await storage.deliveries.enqueue([], after=0, until=2)
        assert await storage.deliveries.enqueue([], after=1, until=7)
        assert await storage.event_cursors.position(WEBHOOKS) == 7

    async def test_an_event_that_waits_already_is_not_added_once_more(self, storage: Storage) -> None:
        """To another endpoint it is, and to the same one after its delivery has ended."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, delivery(1, A, event))
        assert await storage.deliveries.add([delivery(2, A, event), delivery(3, B, event)]) == 1
        await storage.deliveries.record(ONE, [ended(1, DeliveryOutcome.DELIVERED, due_before=NOW, ended_at=at(1))])
        assert await storage.deliveries.add([delivery(4, A, event)]) == 1
        assert [each.id for each in await listed(storage, A)] == [delivery_id(4), delivery_id(1)]
        assert [each.id for each in await listed(storage, B)] == [delivery_id(3)]
        assert {each.endpoint_id for each in await lease(storage, ONE)} == {A, B}

    async def test_an_event_that_waits_for_its_next_attempt_is_due_at_once_when_it_is_added(
        self, storage: Storage
    ) -> None:
        """With its attempts, and no other event; an earlier attempt is not put off."""
        event, other = await an_event_in(storage, 1), await an_event_in(storage, 2)
        await enqueue(storage, delivery(1, A, event, due_at=at(300)), delivery(2, A, other, position=2, due_at=at(300)))
        assert await lease(storage, ONE) == []
        assert await storage.deliveries.add([delivery(3, A, event)]) == 0
        assert {each.id: each.due_at for each in await listed(storage, A)} == {
            delivery_id(1): NOW,
            delivery_id(2): at(300),
        }
        assert await storage.deliveries.add([delivery(4, A, event, due_at=at(5))]) == 0
        assert [each.due_at for each in await listed(storage, A)] == [at(300), NOW]
        assert [each.endpoint_id for each in await lease(storage, ONE)] == [A]

    async def test_an_endpoint_is_leased_by_one_worker(self, storage: Storage) -> None:
        """Until its lease has run out. Without due deliveries it is not leased."""
        event = await an_event_in(storage, 1)
        assert await lease(storage, ONE) == []
        await enqueue(storage, delivery(1, A, event), delivery(2, B, event, due_at=at(5)))
        [taken] = await lease(storage, ONE)
        assert (taken.endpoint_id, taken.failing_since, taken.is_slow) == (A, None, False)
        assert await lease(storage, TWO, now=at(4.9)) == []
        assert [each.endpoint_id for each in await lease(storage, TWO, now=at(5))] == [B]
        assert [each.endpoint_id for each in await lease(storage, TWO, now=at(30))] == [A]
        assert not await storage.deliveries.renew(ONE, [A, B], until=at(90))

    async def test_of_many_workers_at_once_each_endpoint_goes_to_one(self, storage: Storage) -> None:
        """And all endpoints go to somebody."""
        event = await an_event_in(storage, 1)
        endpoints = [endpoint_id(number) for number in range(1, 41)]
        await enqueue(storage, *(delivery(number, id_, event) for number, id_ in enumerate(endpoints, 1)))
        taken: list[EndpointId] = []

        async def work(number: int) -> None:
            while leases := await lease(storage, WorkerId(f"wrk_{number}"), fast_max=3):
                taken.extend(each.endpoint_id for each in leases)

        async with asyncio.timeout(TIMEOUT_SECONDS):
            await asyncio.gather(*(work(number) for number in range(4)))
        while rest := await lease(storage, ONE):
            # A row that somebody else looked at is passed over, and found the next time.
            taken.extend(each.endpoint_id for each in rest)
        assert sorted(taken) == endpoints

    async def test_a_renewed_lease_lasts(self, storage: Storage) -> None:
        """Only the holder renews it."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, delivery(1, A, event))
        await lease(storage, ONE)
        assert set(await storage.deliveries.renew(ONE, [A, B], until=at(50))) == {A}
        assert not await storage.deliveries.renew(TWO, [A], until=at(500))
        assert await lease(storage, TWO, now=at(49)) == []
        assert [each.endpoint_id for each in await lease(storage, TWO, now=at(50))] == [A]

    async def test_a_lease_of_a_clock_that_was_set_back_is_void(self, storage: Storage) -> None:
        """Otherwise nobody would deliver to the endpoint for a day."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, delivery(1, A, event, due_at=at(-86_400)))
        await lease(storage, ONE, now=NOW)
        assert await lease(storage, TWO, now=at(-5)) == [], "clocks of two machines may differ"
        assert await lease(storage, TWO, now=at(-90)) == [], "this call hung for three leases"
        assert [each.endpoint_id for each in await lease(storage, TWO, now=at(-86_400))] == [A]

    async def test_a_lease_that_is_given_back_is_taken_again_when_something_is_due(self, storage: Storage) -> None:
        """The holder learns when that is."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, delivery(1, A, event), delivery(2, A, event, due_at=at(5)), delivery(3, B, event))
        await lease(storage, ONE)
        await storage.deliveries.record(
            ONE, [ended(number, DeliveryOutcome.DELIVERED, due_before=NOW, ended_at=at(1)) for number in (1, 3)]
        )
        assert list(await storage.deliveries.release(TWO, [A, B], now=at(1))) == []
        assert list(await storage.deliveries.release(ONE, [A, B], now=at(1))) == [(A, at(5))]
        assert await lease(storage, TWO, now=at(4.9)) == []
        assert [each.endpoint_id for each in await lease(storage, TWO, now=at(5))] == [A]

    async def test_a_delivery_that_is_made_while_a_lease_is_given_back_is_not_forgotten(self, storage: Storage) -> None:
        """Whichever comes first."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, delivery(1, A, event))
        for number in range(2, 42):
            async with asyncio.timeout(TIMEOUT_SECONDS):
                [taken] = await lease(storage, ONE)
                await storage.deliveries.record(
                    ONE, [ended(number - 1, DeliveryOutcome.DELIVERED, due_before=NOW, ended_at=NOW)]
                )
                await asyncio.gather(
                    storage.deliveries.release(ONE, [taken.endpoint_id], now=NOW),
                    storage.deliveries.add([delivery(number, A, event)]),
                )

    async def test_endpoints_get_their_turns_in_order(self, storage: Storage) -> None:
        """An endpoint that has more to do when its turn is over comes behind those that wait already."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, *(delivery(number, A, event, due_at=at(-100)) for number in (1, 2)))
        [first] = await lease(storage, ONE, now=NOW)
        await enqueue(storage, delivery(3, B, event, due_at=at(1)))
        await storage.deliveries.release(ONE, [first.endpoint_id], now=at(2))
        turns = [(await lease(storage, ONE, now=at(3), fast_max=1))[0].endpoint_id for _ in range(2)]
        assert turns == [B, A]

    async def test_what_is_known_of_a_receiver_stays_known(self, storage: Storage) -> None:
        """By the holder of the lease, who has it written down."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, delivery(1, A, event))
        state = QueueState(endpoint_id=A, failing_since=at(-9), paused_until=at(10), is_slow=True)
        await lease(storage, ONE)
        await storage.deliveries.record(TWO, [], [replace(state, failing_since=None)])
        await storage.deliveries.record(ONE, [], [state])
        assert list(await storage.deliveries.release(ONE, [A], now=at(1))) == [(A, at(10))]
        assert await lease(storage, TWO, now=at(9.9), slow_max=1) == [], "it is paused"
        assert await lease(storage, TWO, now=at(10), slow_max=0) == [], "there is no place for slow ones"
        [taken] = await lease(storage, TWO, now=at(10), fast_max=0, slow_max=1)
        assert (taken.failing_since, taken.is_slow) == (at(-9), True)
        await storage.deliveries.record(
            TWO, [], [QueueState(endpoint_id=A, failing_since=None, paused_until=None, is_slow=False)]
        )
        await storage.deliveries.release(TWO, [A], now=at(11))
        [taken] = await lease(storage, ONE, now=at(11))
        assert (taken.failing_since, taken.is_slow) == (None, False)

    async def test_waiting_deliveries_are_canceled_in_steps(self, storage: Storage) -> None:
        """Those that have ended, and those of others, stay as they are."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, *(delivery(number, A, event) for number in range(1, 6)), delivery(6, B, event))
        await storage.deliveries.record(ONE, [ended(1, DeliveryOutcome.DELIVERED, due_before=NOW, ended_at=at(1))])
        assert [await storage.deliveries.cancel(A, now=at(2), limit=3) for _ in range(3)] == [3, 1, 0]
        found = await listed(storage, A)
        assert [each.outcome for each in found] == [DeliveryOutcome.CANCELED] * 4 + [DeliveryOutcome.DELIVERED]
        assert {each.ended_at for each in found[:4]} == {at(2)}
        assert [each.endpoint_id for each in await lease(storage, ONE)] == [B]

    async def test_endpoints_that_are_disabled_or_deleted_are_found_by_what_waits(self, storage: Storage) -> None:
        """Until nothing waits. An enabled endpoint is not among them."""
        event = await an_event_in(storage, 1)
        enabled = endpoint_id(3)
        await commit(
            storage,
            Changes(
                webhook_endpoints_new=[
                    a_webhook_endpoint(1, disabled_reason=DisabledReason.GONE),
                    a_webhook_endpoint(3),
                ]
            ),
        )
        await enqueue(storage, delivery(1, A, event), delivery(2, B, event), delivery(3, enabled, event))
        assert sorted(await storage.deliveries.abandoned(limit=10)) == [A, B]
        assert len(await storage.deliveries.abandoned(limit=1)) == 1
        for gone in (A, B):
            await storage.deliveries.cancel(gone, now=at(1), limit=10)
        assert list(await storage.deliveries.abandoned(limit=10)) == []
        assert [each.endpoint_id for each in await lease(storage, ONE)] == [enabled]

    async def test_lists_are_pages_newest_first_by_outcome(self, storage: Storage) -> None:
        """Each delivery on one page."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, *(delivery(number, A, event) for number in range(1, 13)))
        results: dict[int, DeliveryOutcome | None] = {}
        for number, outcome in enumerate((*ALL, *ALL, *ALL), 1):
            results[number] = outcome
            if outcome is not None:
                await storage.deliveries.record(ONE, [ended(number, outcome, due_before=NOW, ended_at=at(1))])
        for outcomes in (ALL, *([outcome] for outcome in ALL), [None, DeliveryOutcome.FAILED]):
            found: list[DeliveryId] = []
            while page := await storage.deliveries.deliveries(
                A, outcomes, before=found[-1] if found else None, limit=2
            ):
                assert len(page) <= 2
                found.extend(each.id for each in page)
            assert found == [delivery_id(number) for number in range(12, 0, -1) if results[number] in outcomes]

    async def test_the_backlog_counts_what_waits(self, storage: Storage) -> None:
        """And tells the age of the oldest."""
        assert await storage.deliveries.backlog() == Backlog(waiting=0, oldest_at=None)
        event = await an_event_in(storage, 1)
        await enqueue(storage, *(replace(delivery(number, A, event), created_at=at(-number)) for number in range(1, 4)))
        assert await storage.deliveries.backlog() == Backlog(waiting=3, oldest_at=at(-3))
        await storage.deliveries.record(ONE, [ended(3, DeliveryOutcome.DELIVERED, due_before=NOW, ended_at=at(1))])
        assert await storage.deliveries.backlog() == Backlog(waiting=2, oldest_at=at(-2))

    async def test_the_backlog_is_counted_up_to_a_limit(self, storage: Storage) -> None:
        """So that a million cost no more."""
        event = await an_event_in(storage, 1)
        many = [delivery(number, A, event) for number in range(1, WAITING_COUNTED_MAX + 2)]
        await enqueue(storage, *many)
        assert (await storage.deliveries.backlog()).waiting == WAITING_COUNTED_MAX

    async def test_deliveries_that_ended_long_ago_are_deleted_in_steps(self, storage: Storage) -> None:
        """Those that wait are not."""
        event = await an_event_in(storage, 1)
        await enqueue(storage, *(delivery(number, A, event) for number in range(1, 7)))
        await storage.deliveries.record(
            ONE,
            [ended(number, DeliveryOutcome.DELIVERED, due_before=NOW, ended_at=at(number)) for number in range(1, 6)],
        )
        purge = storage.deliveries.purge
        assert [await purge(ended_before=at(4), limit=2) for _ in range(3)] == [2, 1, 0]
        assert [each.id for each in await listed(storage, A)] == [delivery_id(number) for number in (6, 5, 4)]

    async def test_a_step_of_a_replay_is_done_once(self, storage: Storage) -> None:
        """Its deliveries are added with the step, and after the last one it is over."""
        event, other = await an_event_in(storage, 1), await an_event_in(storage, 2)
        replay = a_replay()
        assert await storage.deliveries.request_replay(replay, limit=4)
        assert list(await storage.deliveries.replays(limit=10)) == [replay]
        done = await asyncio.gather(
            *(
                storage.deliveries.enqueue_replay(replay, [delivery(number, A, event)], until=1)
                for number in range(1, 5)
            )
        )
        assert sum(done) == 1
        assert len(await listed(storage, A)) == 1
        [moved] = await storage.deliveries.replays(limit=10)
        assert moved == replace(replay, after_position=1)
        assert not await storage.deliveries.enqueue_replay(replay, [], until=None)
        assert await storage.deliveries.enqueue_replay(moved, [delivery(9, A, other, position=2)], until=None)
        assert list(await storage.deliveries.replays(limit=10)) == []
        assert len(await listed(storage, A)) == 2

    async def test_an_endpoint_has_few_replays_at_once(self, storage: Storage) -> None:
        """The limit is its own."""
        requested = [
            await storage.deliveries.request_replay(a_replay(number, endpoint_id=A), limit=2) for number in (1, 2, 3)
        ]
        assert requested == [True, True, False]
        assert await storage.deliveries.request_replay(a_replay(4, endpoint_id=B), limit=2)
        found = await storage.deliveries.replays(limit=10)
        assert [each.id for each in found] == [a_replay(number).id for number in (1, 2, 4)]

    @pytest.mark.parametrize("limit", [1, 3, 100])
    async def test_without_an_endpoint_the_fan_out_goes_to_the_end_of_the_feed(
        self, storage: Storage, limit: int
    ) -> None:
        """It reads no event."""
        await commit(storage, Changes(events_new=events(*range(1, 8))))
        for after in (0, 3, 7):
            found = await storage.deliveries.candidates(after=after, limit=limit)
            assert (list(found.events), found.until) == ([], 7)
            assert after == found.until or not found.any_enabled

    @pytest.mark.parametrize("limit", [1, 2, 3, 100])
    async def test_the_fan_out_sees_events_of_merchants_with_an_enabled_endpoint(
        self, storage: Storage, limit: int
    ) -> None:
        """All of them, in the order of the feed, whatever is between them."""
        await commit(
            storage,
            Changes(
                webhook_endpoints_new=[
                    a_webhook_endpoint(1, owner=2),
                    a_webhook_endpoint(2, owner=3, disabled_reason=DisabledReason.BY_OWNER),
                    a_webhook_endpoint(3, owner=5),
                ]
            ),
        )
        merchants = (2, 3, 2, 4, None, 5, 3, 2)
        for number, merchant in enumerate(merchants, 1):
            await commit(storage, Changes(events_new=[of_merchant(number, merchant)]))
        found, after = await walk(storage, limit)
        assert after == len(merchants)
        assert [position for position, _ in found if merchants[position - 1] in (2, 5)] == [1, 3, 6, 8]
        assert found == sorted(found)
        assert dict(found)[3] == of_merchant(3, 2).id

    @pytest.mark.parametrize("limit", [1, 3, 100])
    async def test_an_endpoint_for_all_merchants_sees_every_event(self, storage: Storage, limit: int) -> None:
        """Also events without a merchant."""
        everybody = a_webhook_endpoint(1, owner_id=SYSTEM, all_merchants=True)
        await commit(storage, Changes(webhook_endpoints_new=[everybody]))
        await commit(storage, Changes(events_new=[of_merchant(1, 2), of_merchant(2, None), of_merchant(3, 7)]))
        await commit(storage, Changes(events_new=[of_merchant(4, None)]))
        found, after = await walk(storage, limit)
        assert (found, after) == ([(number, of_merchant(number, None).id) for number in (1, 2, 3, 4)], 4)


def of_merchant(number: int, merchant: int | None) -> Event:
    """Event `number`, which this merchant sees."""
    [event] = events(number)
    return replace(event, merchant_id=None if merchant is None else user_id(merchant))


async def walk(storage: Storage, limit: int) -> tuple[list[tuple[int, str]], int]:
    """The position and the id of all candidates, and the end of the feed."""
    found: list[tuple[int, str]] = []
    after = 0
    while True:
        page = await storage.deliveries.candidates(after=after, limit=limit)
        if page.until == after:
            return found, after
        assert after < page.until <= after + limit
        assert page.any_enabled
        assert all(after < event.position <= page.until for event in page.events)
        found.extend((event.position, event.id) for event in page.events)
        after = page.until


def delivery_id(number: int) -> DeliveryId:
    """The id of delivery `number`."""
    return DeliveryId(identifier("dlv", number))


def delivery(number: int, endpoint_id: EndpointId, event: Event, *, position: int = 1, **fields: Any) -> Delivery:
    """A delivery that is due `NOW`, unless told otherwise."""
    made = Delivery(
        id=delivery_id(number),
        endpoint_id=endpoint_id,
        event_id=event.id,
        position=position,
        event_type=event.type,
        object_id=event.object.id,
        created_at=NOW,
        due_at=NOW,
    )
    return replace(made, **fields)


def waiting(number: int, *, due_before: datetime, due_at: datetime, attempts: tuple[Attempt, ...] = ()) -> Recording:
    """Delivery `number` is due again."""
    return Recording(delivery_id=delivery_id(number), due_before=due_before, due_at=due_at, attempts=attempts)


def ended(
    number: int,
    outcome: DeliveryOutcome,
    *,
    due_before: datetime,
    ended_at: datetime,
    attempts: tuple[Attempt, ...] = (),
) -> Recording:
    """Delivery `number` has ended."""
    return Recording(
        delivery_id=delivery_id(number),
        due_before=due_before,
        due_at=None,
        ended_at=ended_at,
        outcome=outcome,
        attempts=attempts,
    )


def a_replay(number: int = 1, **fields: Any) -> Replay:
    """A replay of a day."""
    replay = Replay(
        id=ReplayId(identifier("rpl", number)),
        endpoint_id=A,
        created_from=at(-1),
        created_to=at(86_400),
        created_at=NOW,
    )
    return replace(replay, **fields)


async def an_event_in(storage: Storage, number: int, *, payment: int | None = None) -> Event:
    """Event `number`, committed; of payment `number`, unless told otherwise."""
    event = an_event(number, a_payment(number if payment is None else payment), EventType.PAYMENT_CAPTURED)
    await commit(storage, Changes(events_new=[replace(event, merchant_id=user_id(2))]))
    return replace(event, merchant_id=user_id(2))


async def enqueue(storage: Storage, *deliveries: Delivery) -> None:
    """Add deliveries, as the fan-out does."""
    position = await storage.event_cursors.position(WEBHOOKS) or 0
    assert await storage.deliveries.enqueue(deliveries, after=position, until=position + 1)


async def listed(storage: Storage, endpoint_id: EndpointId) -> Sequence[Delivery]:
    """All deliveries of an endpoint, newest first."""
    return await storage.deliveries.deliveries(endpoint_id, ALL, before=None, limit=1_000)


async def due(storage: Storage, *endpoint_ids: EndpointId) -> Iterable[DueDelivery]:
    """What is due `NOW`."""
    return [each for id_ in endpoint_ids for each in await storage.deliveries.due(id_, now=NOW, limit=100)]


async def lease(
    storage: Storage, worker: WorkerId, *, now: datetime = NOW, fast_max: int = 10, slow_max: int = 0
) -> list[Any]:
    """Lease endpoints for half a minute."""
    until = now + 30 * SECOND
    return list(await storage.deliveries.lease(worker, now=now, until=until, fast_max=fast_max, slow_max=slow_max))
