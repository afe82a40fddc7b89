"""The ASGI application: Litestar, with the endpoint mounted under it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from typing import Any

from litestar import Litestar, asgi
from litestar.types import ASGIApp, Receive, Send

from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.endpoint import Endpoint, HttpLimits
from gateway.adapters.http.openapi import openapi_document
from gateway.adapters.http.operations import Operation
from gateway.adapters.http.pages_for_people import pages_for_people
from gateway.adapters.http.resources import (
    accounts,
    fees,
    health,
    payment_actions,
    payment_batches,
    payments,
    payouts,
    quotes,
    rates,
    refunds,
    reversals,
    transactions,
    users,
)
from gateway.adapters.http.root_paths import below_root_paths
from gateway.application.gateway import Gateway

GatewayOpener = Callable[[], AbstractAsyncContextManager[Gateway]]


def all_operations(cursors: Cursors, *, sandbox: bool) -> list[Operation]:
    """Everything that clients may ask, in the order of the document."""
    return [
        *users.OPERATIONS,
        *accounts.operations(cursors, sandbox=sandbox),
        *payouts.OPERATIONS,
        *payment_batches.OPERATIONS,
        *payments.operations(cursors),
        *payment_actions.OPERATIONS,
        *refunds.operations(cursors),
        *transactions.operations(cursors),
        *reversals.OPERATIONS,
        *rates.OPERATIONS,
        *quotes.OPERATIONS,
        *fees.OPERATIONS,
        *health.OPERATIONS,
    ]


def create_app(
    open_gateway: GatewayOpener, *, cursor_secret: bytes, sandbox: bool, limits: HttpLimits, root_path: str = ""
) -> Litestar:
    """The application. It opens the gateway when it starts, and closes it when it has answered the last request.

    Args:
        open_gateway: Opens what is to be served.
        cursor_secret: At least 32 bytes, the same in all processes: signs the cursors of lists.
        sandbox: Whether owners may make deposits to their own accounts.
        limits: How much one request may take.
        root_path: Under which path a reverse proxy shows the gateway, whether it strips that path or not.
    """
    operations = all_operations(Cursors(cursor_secret), sandbox=sandbox)
    document = openapi_document(operations, version=version("gateway"), root_path=root_path)
    endpoint = Endpoint([*operations, *pages_for_people(document, root_path=root_path)], limits)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None]:
        async with open_gateway() as gateway:
            app.state["gateway"] = gateway
            yield

    app = Litestar(
        route_handlers=[asgi("/", is_mount=True, copy_scope=False)(endpoint)],
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
    )
    app.asgi_handler = past_the_router(app.asgi_handler, endpoint, root_path)
    return app


def past_the_router(routed: ASGIApp, endpoint: Endpoint, root_path: str = "") -> ASGIApp:
    """The handler of an application that leads straight to the endpoint where the path alone says that it is asked.

    So it is for payments, and a fifteenth of what the application does for one was to look for its only route.
    """
    paths = endpoint.paths_without_id

    async def handle(scope: Any, receive: Receive, send: Send) -> None:
        if root_path or scope.get("root_path"):
            scope = below_root_paths(scope, root_path, endpoint.knows)
        await (endpoint if scope["path"] in paths else routed)(scope, receive, send)

    return handle
