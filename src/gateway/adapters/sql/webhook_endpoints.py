"""Look-ups of webhook endpoints."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import ARRAY, any_, bindparam, or_, select
from typing_extensions import override

from gateway.adapters.sql.engine import POSTGRES, SQLITE
from gateway.adapters.sql.rows.webhook_endpoints import to_webhook_endpoint
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.tables.webhooks import IS_FOR_ALL_MERCHANTS, webhook_endpoints
from gateway.adapters.sql.types import TEXT
from gateway.application.ports.webhook_endpoints import WebhookEndpoints
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import EndpointId, WebhookEndpoint

_table: Final = webhook_endpoints.c

ENDPOINT: Final = select(webhook_endpoints).where(_table.id == bindparam("id"))

_OWNER_IS_AMONG: Final = {
    POSTGRES: _table.owner_id == any_(bindparam("owner_ids", type_=ARRAY(TEXT))),
    SQLITE: _table.owner_id.in_(bindparam("owner_ids", expanding=True)),
}
ENABLED_FOR: Final = {
    dialect: select(webhook_endpoints)
    .where(_table.disabled_reason.is_(None), or_(owner_is_among, IS_FOR_ALL_MERCHANTS))
    .order_by(_table.id)
    for dialect, owner_is_among in _OWNER_IS_AMONG.items()
}


class SqlWebhookEndpoints(WebhookEndpoints):
    """See the port."""

    def __init__(self, transactions: ShortTransactions) -> None:
        self._transactions = transactions
        self._enabled_for = ENABLED_FOR[transactions.dialect_name]

    @override
    async def endpoint(self, endpoint_id: EndpointId) -> WebhookEndpoint | None:
        rows = await self._transactions.read(ENDPOINT, {"id": endpoint_id})
        return to_webhook_endpoint(rows[0]) if rows else None

    @override
    async def endpoints(
        self, owner_id: UserId | None, *, before: EndpointId | None, limit: int
    ) -> Sequence[WebhookEndpoint]:
        statement = select(webhook_endpoints).order_by(_table.id.desc()).limit(limit)
        if owner_id is not None:
            statement = statement.where(_table.owner_id == owner_id)
        if before is not None:
            statement = statement.where(_table.id < before)
        return [to_webhook_endpoint(row) for row in await self._transactions.read(statement)]

    @override
    async def enabled_for(self, merchant_ids: Collection[UserId]) -> Sequence[WebhookEndpoint]:
        rows = await self._transactions.read(self._enabled_for, {"owner_ids": list(merchant_ids)})
        return [to_webhook_endpoint(row) for row in rows]
