"""The ASGI application: `uvicorn --factory gateway.entrypoints.api:app`."""

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from litestar import Litestar

from gateway.adapters.http import HttpLimits, Layer, create_app
from gateway.application.gateway import Gateway
from gateway.bootstrap import collect_garbage_seldom, cursor_keys, open_gateway
from gateway.entrypoints.logs import configure_logging
from gateway.entrypoints.worker import working
from gateway.settings import Settings, read_settings


def app() -> Litestar:
    """The application as the environment sets it: what each worker of a server calls.

    Raises:
        SettingsRefused: The environment is not as it must be.
        StartRefused: The keys are missing or will not do.
    """
    settings = read_settings(os.environ)
    configure_logging(settings)
    served = app_of(settings)
    collect_garbage_seldom()
    return served


def app_of(settings: Settings, *, layers: Sequence[Layer] = ()) -> Litestar:
    """The application with these settings. It opens its gateway when the server starts it.

    Args:
        settings: How it is set.
        layers: What wraps it, the outermost first.
    """
    return create_app(
        lambda: open_served(settings),
        cursor_keys=cursor_keys(settings),
        sandbox=settings.environment == "sandbox",
        limits=http_limits(settings),
        root_path=settings.root_path,
        cors_allowed_origins=settings.cors_allowed_origins,
        layers=layers,
    )


@asynccontextmanager
async def open_served(settings: Settings) -> AsyncGenerator[Gateway]:
    """A gateway to serve, with a worker beside it if the settings say so."""
    async with open_gateway(settings) as gateway:
        if not settings.serve_works:
            yield gateway
            return
        async with working(gateway, settings):
            yield gateway


def http_limits(settings: Settings) -> HttpLimits:
    """How much one request may take."""
    return HttpLimits(
        body_bytes_max=settings.body_bytes_max,
        body_seconds_max=settings.body_seconds_max,
        request_seconds_max=settings.request_seconds_max,
        requests_max=settings.requests_max,
    )
