"""What the turns of a worker share."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from gateway.application.events.delivery_counts import DeliveryCounts
from gateway.application.events.delivery_limits import DeliveryLimits
from gateway.application.events.delivery_recorder import DeliveryRecorder
from gateway.application.ports.clock import Clock
from gateway.application.ports.deliveries import DeliveryQueues
from gateway.application.ports.webhook_endpoints import WebhookEndpoints
from gateway.application.ports.webhook_sender import WebhookSender
from gateway.domain.immutable import immutable
from gateway.domain.webhook_endpoint import DisabledReason, EndpointId

Disable = Callable[[EndpointId, DisabledReason, datetime], Awaitable[bool]]
"""Disables an endpoint, unless it was changed after this time. Returns whether it gets no more events."""


@immutable
class TurnTools:
    """What the turns of a worker share.

    Attributes:
        disable: Disables an endpoint.
        may_send: Whether one more request may be in flight.
    """

    queues: DeliveryQueues
    endpoints: WebhookEndpoints
    sender: WebhookSender
    recorder: DeliveryRecorder
    disable: Disable
    clock: Clock
    random: Callable[[], float]
    limits: DeliveryLimits
    counts: DeliveryCounts
    may_send: Callable[[], bool]
