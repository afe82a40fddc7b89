"""The ASGI application: Litestar with the endpoint mounted in it."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from typing import Any, Final

from litestar import Litestar, asgi
from litestar.types import ASGIApp, Receive, Send

from gateway.adapters.http.access_log import AccessLog
from gateway.adapters.http.cors import allowing_origins, headers_without_origin
from gateway.adapters.http.cursors import CursorKeys, Cursors
from gateway.adapters.http.docs_pages import docs_pages
from gateway.adapters.http.endpoint import HEARTBEAT_SECONDS, Endpoint, HttpLimits
from gateway.adapters.http.lane import Lane
from gateway.adapters.http.openapi import openapi_document
from gateway.adapters.http.operations import AnyOperation
from gateway.adapters.http.resources import (
    accounts,
    api_keys,
    audit,
    customers,
    events,
    fees,
    health,
    invitations,
    members,
    payment_actions,
    payment_batches,
    payments,
    payouts,
    quotes,
    rates,
    refunds,
    reversals,
    second_factors,
    transactions,
    user_actions,
    users,
    webhook_deliveries,
    webhook_endpoints,
)
from gateway.adapters.http.root_paths import below_root_paths
from gateway.application.gateway import Gateway

Layer = Callable[[ASGIApp], ASGIApp]
"""Wraps an ASGI application in another one."""
LAYERS_OF_LITESTAR: Final = (
    "cors_config",
    "csrf_config",
    "compression_config",
    "middleware",
    "guards",
    "allowed_hosts",
    "before_request",
    "after_request",
    "after_response",
)

OPENAPI_PATH: Final = "/openapi.json"

GatewayOpener = Callable[[], AbstractAsyncContextManager[Gateway]]


def all_operations(
    cursors: Cursors,
    *,
    sandbox: bool,
    owner_deposits: bool | None = None,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
) -> list[AnyOperation]:
    """All operations, in the order of the OpenAPI document. The arguments have the meaning that `create_app` gives."""
    return [
        *users.OPERATIONS,
        *second_factors.OPERATIONS,
        *user_actions.OPERATIONS,
        *members.operations(cursors),
        *invitations.operations(cursors),
        *api_keys.operations(cursors),
        *customers.operations(cursors),
        *accounts.operations(cursors, owner_deposits=sandbox if owner_deposits is None else owner_deposits),
        *payouts.OPERATIONS,
        *payment_batches.OPERATIONS,
        *payments.operations(cursors),
        *payment_actions.OPERATIONS,
        *refunds.operations(cursors),
        *transactions.operations(cursors),
        *reversals.OPERATIONS,
        *audit.operations(cursors),
        *rates.OPERATIONS,
        *quotes.OPERATIONS,
        *fees.OPERATIONS,
        *webhook_endpoints.operations(cursors),
        *events.operations(cursors, heartbeat_seconds=heartbeat_seconds),
        *webhook_deliveries.operations(cursors),
        *health.operations(sandbox=sandbox),
    ]


def create_app(  # noqa: PLR0913 - each has a name.
    open_gateway: GatewayOpener,
    *,
    cursor_keys: CursorKeys,
    sandbox: bool,
    owner_deposits: bool | None = None,
    docs: bool | None = None,
    limits: HttpLimits,
    root_path: str = "",
    cors_allowed_origins: Sequence[str] = (),
    layers: Sequence[Layer] = (),
    access_log: AccessLog | None = None,
    payment_lane: bool = True,
) -> Litestar:
    """The application. It opens the gateway at its start, and closes it after the last response.

    Args:
        open_gateway: Opens the gateway to serve.
        cursor_keys: Sign and verify the cursors of lists.
        sandbox: Whether the environment that liveness shows is a sandbox.
        owner_deposits: Whether owners may make deposits to their own accounts. When `None`, they may in a sandbox.
        docs: Whether the pages of the documentation are served. When `None`, they are in a sandbox. The OpenAPI
            document always is: clients are generated from it.
        limits: Of each request.
        root_path: The path below which a reverse proxy serves the gateway, whether the proxy strips it or not.
        cors_allowed_origins: The origins whose scripts may call the API: `https://shop.example`, or `*` for all.
        layers: Wrap the finished application, outermost first: every request and every response passes through them.
            An application with Litestar's own layers (`cors_config`, `compression_config`, `middleware` …) does not
            start: they would not reach all paths.
        access_log: Called with an entry after each response. When `None`, requests are not logged.
        payment_lane: Whether usual payments go through the lane, if the server knows it and there are no layers.
    """
    heartbeat_seconds = limits.heartbeat_seconds
    operations = all_operations(
        Cursors(cursor_keys), sandbox=sandbox, owner_deposits=owner_deposits, heartbeat_seconds=heartbeat_seconds
    )
    document = openapi_document(operations, version=version("gateway"), server_url=root_path or "/")
    serves_docs = sandbox if docs is None else docs
    pages = [page for page in docs_pages(document, root_path=root_path) if serves_docs or page.path == OPENAPI_PATH]
    endpoint = Endpoint([*operations, *pages], limits, access_log)

    lane = Lane(endpoint, headers_without_origin(cors_allowed_origins)) if payment_lane and not layers else None

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None]:
        refuse_own_layers(app)
        async with open_gateway() as gateway:
            app.state["gateway"] = gateway
            if lane is not None:
                lane.gateway = gateway
            yield

    app = Litestar(
        route_handlers=[asgi("/", is_mount=True, copy_scope=False)(endpoint)],
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
    )
    app.asgi_handler = bypassing_router(app, endpoint, root_path)
    if cors_allowed_origins:
        app.asgi_handler = allowing_origins(app.asgi_handler, cors_allowed_origins)
    for layer in reversed(layers):
        app.asgi_handler = layer(app.asgi_handler)
    if lane is not None:
        app.state["lane"] = lane, app.asgi_handler
    return app


def lane_of(app: object) -> Lane | None:
    """The lane of an application that a server calls. `None` if it has none, or if something wraps it."""
    if not isinstance(app, Litestar):
        return None
    lane, handler = app.state.get("lane", (None, None))
    return lane if app.asgi_handler is handler and not app.before_send else None


def refuse_own_layers(app: Litestar) -> None:
    """Refuse to start with Litestar's own layers: payments would bypass them silently.

    Raises:
        RuntimeError: The application has one.
    """
    found = [name for name in LAYERS_OF_LITESTAR if getattr(app, name, None)]
    if found:
        raise RuntimeError(
            f"{', '.join(found)} would not reach all paths of the gateway. Hand what wraps it to "
            "create_app(layers=…), and origins to create_app(cors_allowed_origins=…)."
        )


def bypassing_router(app: Litestar, endpoint: Endpoint, root_path: str = "") -> ASGIApp:
    """The ASGI application that calls the endpoint directly; Litestar's router only finds routes that were added.

    Routing took a fifteenth of the time of a payment in HTTP. The router also refuses some requests by itself (a
    malformed Host), in a form of its own.
    """
    routed, paths = app.asgi_handler, endpoint.literal_paths

    async def handle(scope: Any, receive: Receive, send: Send) -> None:
        if root_path or scope.get("root_path"):
            scope = below_root_paths(scope, root_path, endpoint.knows)
        is_alone = len(app.routes) == 1
        await (endpoint if is_alone or scope["path"] in paths else routed)(scope, receive, send)

    return handle
