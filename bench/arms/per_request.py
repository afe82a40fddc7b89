"""The fastest arm without group commit: the gateway's HTTP adapter and tables, one SQL call for each payment."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
import msgspec
from litestar import Litestar, asgi

from gateway.adapters.http.app import bypassing_router
from gateway.adapters.http.endpoint import Endpoint, HttpLimits
from gateway.adapters.http.messages import Request, Response
from gateway.adapters.http.operations import Idempotency, Operation
from gateway.adapters.http.resources.payments import PaymentBody
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.submission import fingerprint
from gateway.bootstrap.garbage_collection import collect_garbage_seldom
from gateway.bootstrap.wiring import open_gateway
from gateway.domain.user import Role
from gateway.settings.reader import read_settings

FUNCTION: Final = Path(__file__).with_suffix(".sql")
POOL_SIZE: Final = 16
"""The number of pgbench's clients."""
PAY: Final = "SELECT pay($1, $2, $3, $4, $5, $6, $7, $8, $9)"
STATUS_DIGITS: Final = 3


class _Connection(asyncpg.Connection):  # type: ignore[misc]  # As above.
    """Without asyncpg's second round trip, which resets a connection on its return to the pool."""

    def get_reset_query(self) -> str:
        return ""


class PerRequest:
    """The handler of payments, with a pool of connections."""

    def __init__(self) -> None:
        self._pool: Any = None

    @asynccontextmanager
    async def opened(self, url: str) -> AsyncGenerator[None]:
        """Create the SQL function and open the connections."""
        connection = await asyncpg.connect(url)
        await connection.execute(FUNCTION.read_text())
        await connection.close()
        async with asyncpg.create_pool(
            url,
            min_size=POOL_SIZE,
            max_size=POOL_SIZE,
            connection_class=_Connection,
            server_settings={"jit": "off", "plan_cache_mode": "force_generic_plan"},
        ) as self._pool:
            yield

    async def pay(self, request: Request[PaymentBody]) -> Response:
        """Pay in one call of the SQL function."""
        body = request.body
        answer: bytes = await self._pool.fetchval(
            PAY,
            request.caller.user_id,
            body.merchant_id,
            body.amount,
            body.currency,
            request.idempotency_key,
            fingerprint(request.method.encode(), request.path.encode(), msgspec.json.encode(body)),
            time_ordered_id("pay"),
            time_ordered_id("txn"),
            time_ordered_id("evt"),
        )
        return Response(status=int(answer[:STATUS_DIGITS]), body=answer[STATUS_DIGITS:])


def app() -> Litestar:
    """The application, configured by the environment."""
    settings = read_settings(os.environ)
    arm = PerRequest()
    operation = Operation(
        method="POST",
        path="/payments",
        name="createPayment",
        tag="",
        summary="",
        handler=arm.pay,
        only_roles=frozenset({Role.CUSTOMER}),
        status=201,
        body=PaymentBody,
        idempotency=Idempotency.REQUIRED,
    )

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None]:
        # Of the gateway, only tokens and sessions are used.
        async with open_gateway(settings) as gateway, arm.opened(settings.url):
            app.state["gateway"] = gateway
            yield

    collect_garbage_seldom()  # As `gateway serve` does.
    endpoint = Endpoint([operation], HttpLimits())
    served = Litestar(
        route_handlers=[asgi("/", is_mount=True, copy_scope=False)(endpoint)],
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
    )
    served.asgi_handler = bypassing_router(served, endpoint)
    return served
