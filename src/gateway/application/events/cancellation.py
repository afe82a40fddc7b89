"""Cancellation of what waits for an endpoint that gets no more events."""

from typing import Final

from gateway.application.ports.clock import Clock
from gateway.application.ports.deliveries import DeliveryQueues
from gateway.domain.webhook_endpoint import EndpointId

CANCELED_PER_STEP_MAX: Final = 1_000


async def cancel_waiting(queues: DeliveryQueues, endpoint_id: EndpointId, clock: Clock) -> int:
    """End all waiting deliveries of an endpoint as canceled, in steps. Returns how many."""
    canceled = 0
    while True:
        step = await queues.cancel(endpoint_id, now=clock(), limit=CANCELED_PER_STEP_MAX)
        canceled += step
        if step < CANCELED_PER_STEP_MAX:
            return canceled
