"""What a worker knows of a receiver is written before its lease is given back."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import cast

from gateway.application.events.delivery_recorder import DeliveryRecorder
from gateway.application.ports.deliveries import DeliveryQueues
from gateway.application.ports.delivery_records import QueueState, Recording, WorkerId
from gateway.domain.webhook_endpoint import EndpointId
from support.virtual_time import LoopClock, in_virtual_time

SLOW, OTHER = EndpointId("whe_slow"), EndpointId("whe_other")


class SlowQueues:
    """Each write takes a second."""

    def __init__(self) -> None:
        self.done: list[tuple[str, EndpointId]] = []

    async def record(self, _: WorkerId, __: Sequence[Recording], states: Sequence[QueueState]) -> None:
        await asyncio.sleep(1)
        self.done.extend(("state", each.endpoint_id) for each in states)

    async def release(
        self, _: WorkerId, endpoint_ids: Collection[EndpointId], *, now: datetime
    ) -> Sequence[tuple[EndpointId, datetime]]:
        await asyncio.sleep(1)
        self.done.extend(("released", each) for each in endpoint_ids)
        return [(each, now) for each in endpoint_ids]


def a_state(endpoint_id: EndpointId) -> QueueState:
    return QueueState(endpoint_id=endpoint_id, failing_since=None, paused_until=None, is_slow=True)


def test_a_state_that_comes_during_a_write_is_written_before_the_lease_is_given_back() -> None:
    queues = SlowQueues()

    async def work() -> None:
        recorder = DeliveryRecorder(cast("DeliveryQueues", queues), WorkerId("wrk_1"), LoopClock())
        recorder.set_state(a_state(OTHER))
        await asyncio.sleep(0.5)
        recorder.set_state(a_state(SLOW))
        await recorder.release(SLOW)

    in_virtual_time(work)
    assert queues.done == [("state", OTHER), ("state", SLOW), ("released", SLOW)]
