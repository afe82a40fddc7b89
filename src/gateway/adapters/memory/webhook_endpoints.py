"""Webhook endpoints in a dictionary."""

from collections.abc import Collection, Sequence

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.application.ports.webhook_endpoints import WebhookEndpoints
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import EndpointId, WebhookEndpoint


class MemoryWebhookEndpoints(WebhookEndpoints):
    """See the port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    @override
    async def endpoint(self, endpoint_id: EndpointId) -> WebhookEndpoint | None:
        return self._database.webhook_endpoints.get(endpoint_id)

    @override
    async def endpoints(
        self, owner_id: UserId | None, *, before: EndpointId | None, limit: int
    ) -> Sequence[WebhookEndpoint]:
        found = [
            endpoint
            for endpoint in self._in_order()
            if owner_id in (None, endpoint.owner_id) and (before is None or endpoint.id < before)
        ]
        return found[::-1][:limit]

    @override
    async def enabled_for(self, merchant_ids: Collection[UserId]) -> Sequence[WebhookEndpoint]:
        return [
            endpoint
            for endpoint in self._in_order()
            if endpoint.enabled and (endpoint.all_merchants or endpoint.owner_id in merchant_ids)
        ]

    def _in_order(self) -> Sequence[WebhookEndpoint]:
        endpoints = self._database.webhook_endpoints
        return [endpoints[endpoint_id] for endpoint_id in sorted(endpoints)]
