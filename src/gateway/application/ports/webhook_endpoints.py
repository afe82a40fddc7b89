"""Webhook endpoints, as they were committed. Commands create and change them, in a unit of work."""

from collections.abc import Collection, Sequence
from typing import Protocol

from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import EndpointId, WebhookEndpoint


class WebhookEndpoints(Protocol):
    """Look-ups of webhook endpoints. Nothing is locked. All methods raise `StorageUnavailable`."""

    async def endpoint(self, endpoint_id: EndpointId) -> WebhookEndpoint | None:
        """The endpoint with this id."""
        ...

    async def endpoints(
        self, owner_id: UserId | None, *, before: EndpointId | None, limit: int
    ) -> Sequence[WebhookEndpoint]:
        """The endpoints of an owner, or of all owners if it is `None`, newest first.

        Args:
            owner_id: The owner: a merchant, or `system` for the endpoints of the operators.
            before: The id of the last endpoint of the page before.
            limit: How many endpoints at most.
        """
        ...

    async def enabled_for(self, merchant_ids: Collection[UserId]) -> Sequence[WebhookEndpoint]:
        """The enabled endpoints of these owners, and all enabled endpoints for all merchants; ordered by id."""
        ...
