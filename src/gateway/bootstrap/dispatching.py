"""The dispatcher of a gateway's webhooks."""

from datetime import datetime

from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.commands.disable_webhook_endpoint import DisableWebhookEndpoint
from gateway.application.events.dispatcher import Dispatcher
from gateway.application.gateway import Gateway
from gateway.application.shared_clock import SharedClock
from gateway.bootstrap.limits import delivery_limits
from gateway.domain.webhook_endpoint import DisabledReason, EndpointId
from gateway.settings.values import Settings


def dispatcher_of(gateway: Gateway, settings: Settings, clock: SharedClock) -> Dispatcher:
    """A dispatcher that has not begun."""

    async def disable(endpoint_id: EndpointId, reason: DisabledReason, as_of: datetime) -> bool:
        endpoint = await gateway.execute(DisableWebhookEndpoint(endpoint_id=endpoint_id, reason=reason, as_of=as_of))
        return endpoint is None or not endpoint.enabled

    return Dispatcher(
        storage=gateway.storage,
        sender=gateway.webhooks.sender,
        disable=disable,
        commits=gateway.events.commits,
        clock=clock,
        identifiers=time_ordered_id,
        limits=delivery_limits(settings),
    )
