"""Serving: the ASGI application of a gateway or of settings."""

from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from os import PathLike
from typing import Any, TypeAlias, cast

from litestar import Litestar

from gateway.adapters.http import AccessLog, GatewayOpener, HttpLimits, LargeBodyLimits, Layer, create_app
from gateway.adapters.http.cursors import CursorKeys
from gateway.application.gateway import Gateway
from gateway.bootstrap.hashers import hasher_of
from gateway.bootstrap.keys import access_tokens, cursor_keys, process_cursor_keys
from gateway.bootstrap.on_demand import TokensOnDemand
from gateway.bootstrap.refusal import StartRefused
from gateway.bootstrap.schema import refuse_production_in_sandbox
from gateway.bootstrap.tokens import names_key
from gateway.bootstrap.wiring import as_settings, open_gateway
from gateway.domain.errors import invalid
from gateway.settings.values import Settings

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
AsgiLayer: TypeAlias = Callable[[AsgiApp], AsgiApp]
"""Wraps an ASGI application in another one."""


class GatewayApp:
    """The HTTP API as an ASGI application, for any server or framework. Made by `gateway.asgi`."""

    def __init__(self, app: Litestar) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request, or start and end with the server."""
        await self._app(cast("Any", scope), cast("Any", receive), cast("Any", send))

    def lifespan(self) -> AbstractAsyncContextManager[None]:
        """Open the gateway, and close it at the end. What mounts this enters it in a lifespan of its own.

        Raises:
            WrongEventLoop: The gateway was opened in another event loop than the one that serves.
            StartRefused, SettingsRefused, StorageUnavailable: As `open_gateway`.
        """
        return self._app.lifespan()


def asgi(
    served: Gateway | Settings | str | PathLike[str] | None = None, *, layers: Sequence[AsgiLayer] = ()
) -> GatewayApp:
    """The HTTP API as an ASGI application.

    An open gateway is served by the settings that it was opened with, in its own event loop, and stays open. It may be
    mounted without a lifespan. Settings are served by a gateway that opens and closes with `GatewayApp.lifespan`, which
    a server enters by itself.

    Cursors of lists are signed with the key of the settings. Where these name none and the program issues its own
    tokens, cursors end with the process.

    Args:
        served: An open gateway; or what `open_gateway` takes.
        layers: What wraps the application, the outermost first: every request passes through them.

    Raises:
        InvalidInput: The gateway was not made by `open_gateway` or `in_memory_gateway`.
        SettingsRefused: A setting in the environment cannot be used.
        StartRefused: A key is missing or cannot be used.
    """
    wrapping = cast("Sequence[Layer]", layers)
    if not isinstance(served, Gateway):
        return GatewayApp(app_of(as_settings(served), layers=wrapping))
    settings = served.opened_with
    if not isinstance(settings, Settings):
        raise invalid("served", "value_invalid", "This gateway was not opened by open_gateway or in_memory_gateway.")
    app = _app(lambda: _already_open(served), _cursor_keys(served, settings), settings, layers=wrapping)
    app.state["gateway"] = served
    return GatewayApp(app)


@asynccontextmanager
async def _already_open(gateway: Gateway) -> AsyncGenerator[Gateway]:
    gateway.queries.loop.check()
    yield gateway


def _cursor_keys(gateway: Gateway, settings: Settings) -> CursorKeys:
    """The keys of cursors: those of tokens, unless the program has its own tokens and no key."""
    if names_key(settings) or type(gateway.tokens) is TokensOnDemand:
        return cursor_keys(settings)
    if settings.environment == "production":
        raise StartRefused(
            "Cursors of lists need a key in production, also where tokens are the program's own: "
            "set GATEWAY_TOKEN_PRIVATE_KEY_FILE."
        )
    return process_cursor_keys()


def app_of(settings: Settings, *, layers: Sequence[Layer] = (), access_log: AccessLog | None = None) -> Litestar:
    """The application with these settings. It opens its gateway when the server starts it.

    Args:
        settings: How it is set.
        layers: What wraps it, the outermost first.
        access_log: Called with an entry for each request that was answered. When `None`, requests are not logged.
    """
    return _app(lambda: open_served(settings), cursor_keys(settings), settings, layers=layers, access_log=access_log)


def _app(
    opener: GatewayOpener,
    keys: CursorKeys,
    settings: Settings,
    *,
    layers: Sequence[Layer] = (),
    access_log: AccessLog | None = None,
) -> Litestar:
    return create_app(
        opener,
        cursor_keys=keys,
        sandbox=settings.environment == "sandbox",
        owner_deposits=settings.owners_may_deposit,
        docs=settings.serves_docs,
        limits=http_limits(settings),
        root_path=settings.root_path,
        cors_allowed_origins=settings.cors_allowed_origins,
        layers=layers,
        access_log=access_log,
        payment_lane=settings.payment_lane,
    )


@asynccontextmanager
async def open_served(settings: Settings) -> AsyncGenerator[Gateway]:
    """A gateway to serve, with a worker beside it if the settings say so. It does at the start what others do later."""
    await refuse_production_in_sandbox(settings)
    tokens, passwords = access_tokens(settings), hasher_of(settings)
    passwords.prepare()
    try:
        async with open_gateway(
            settings, tokens=tokens, passwords=passwords, worker=settings.worker_runs_in_serve
        ) as gateway:
            yield gateway
    finally:
        await passwords.close()


def http_limits(settings: Settings) -> HttpLimits:
    """How much one request may take."""
    return HttpLimits(
        body_bytes_max=settings.body_bytes_max,
        body_seconds_max=settings.body_seconds_max,
        request_seconds_max=settings.request_seconds_max,
        requests_max=settings.requests_max,
        large_bodies=LargeBodyLimits(
            bytes_max=settings.large_bodies_bytes_max,
            bytes_per_caller_max=settings.large_bodies_bytes_per_caller_max,
        ),
        heartbeat_seconds=settings.event_stream_heartbeat_seconds,
    )
