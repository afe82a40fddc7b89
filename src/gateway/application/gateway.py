"""Gateway: everything that can be asked, in one value."""

from typing import TypeVar

from gateway.application.access.access import Access
from gateway.application.audit_queries import AuditQueries
from gateway.application.engine.command import Command
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.events.event_queries import EventQueries
from gateway.application.events.feed import Events
from gateway.application.events.hub import EventHub
from gateway.application.ports.storage import Storage
from gateway.application.ports.tokens import AccessTokens
from gateway.application.queries import Queries
from gateway.application.quotes import Quotes
from gateway.application.rate_limits.rate_limits import NO_RATE_LIMITS, RateLimits
from gateway.application.webhook_deliveries import WebhookDeliveries
from gateway.application.webhooks import Webhooks
from gateway.domain.audit import Origin
from gateway.domain.immutable import immutable
from gateway.domain.user import SYSTEM, UserId

Result = TypeVar("Result")


@immutable
class Gateway:
    """What an embedding service holds, and what the HTTP adapter speaks to. Made by `gateway.open_gateway`."""

    executor: CommandExecutor
    access: Access
    queries: Queries
    quotes: Quotes
    events: Events
    webhooks: Webhooks
    event_queries: EventQueries
    event_hub: EventHub
    deliveries: WebhookDeliveries
    tokens: AccessTokens
    storage: Storage
    audit: AuditQueries
    rate_limits: RateLimits = NO_RATE_LIMITS

    async def execute(
        self,
        command: Command[Result],
        *,
        idempotency_key: str | None = None,
        owner_id: UserId = SYSTEM,
        origin: Origin | None = None,
    ) -> Result:
        """Decide a command, durably, and give its result. As `CommandExecutor.execute`."""
        return await self.executor.execute(command, idempotency_key=idempotency_key, owner_id=owner_id, origin=origin)
