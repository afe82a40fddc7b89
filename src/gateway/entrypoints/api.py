"""The ASGI application: `uvicorn --factory gateway.entrypoints.api:app`."""

import os
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar

from gateway.adapters.http import AccessLog, HttpLimits, LargeBodyLimits, Layer, create_app
from gateway.application.gateway import Gateway
from gateway.bootstrap.garbage_collection import collect_garbage_seldom
from gateway.bootstrap.keys import cursor_keys
from gateway.bootstrap.schema import refuse_production_in_sandbox
from gateway.bootstrap.wiring import open_gateway
from gateway.entrypoints.access_lines import access_lines
from gateway.entrypoints.failures import in_a_sentence
from gateway.entrypoints.logs import configure_logging, logs_json
from gateway.entrypoints.orphans import end_with_parent
from gateway.entrypoints.worker import working
from gateway.settings.reader import read_settings
from gateway.settings.values import Settings


def app() -> Litestar:
    """The application as the environment sets it: what each worker of a server calls.

    Raises:
        SettingsRefused: The environment is not as it must be.
        StartRefused: The keys are missing or will not do.
    """
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # As `gateway serve` starts its workers.
    end_with_parent()
    settings = read_settings(os.environ)
    configure_logging(settings)
    lines = access_lines(sys.stderr, as_json=logs_json(settings)) if settings.logs_requests else None
    served = app_of(settings, access_log=lines)
    router: Any = FailingInASentence(served.asgi_router)
    served.asgi_router = router
    collect_garbage_seldom()
    return served


def app_of(settings: Settings, *, layers: Sequence[Layer] = (), access_log: AccessLog | None = None) -> Litestar:
    """The application with these settings. It opens its gateway when the server starts it.

    Args:
        settings: How it is set.
        layers: What wraps it, the outermost first.
        access_log: Called with an entry for each request that was answered. When `None`, requests are not logged.
    """
    return create_app(
        lambda: open_served(settings),
        cursor_keys=cursor_keys(settings),
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
    """A gateway to serve, with a worker beside it if the settings say so."""
    await refuse_production_in_sandbox(settings)
    async with open_gateway(settings) as gateway:
        if not settings.worker_runs_in_serve:
            yield gateway
            return
        async with working(gateway, settings):
            yield gateway


class FailingInASentence:
    """Litestar's router, but for a start that fails as is expected: the server logs a sentence.

    Litestar hands it a traceback, nine kilobytes for a database that is away.
    """

    def __init__(self, router: Any) -> None:
        self._router = router

    async def lifespan(self, receive: Any, send: Any) -> None:
        """Start and end the application."""

        async def shortened(message: Any) -> None:
            if message["type"] == "lifespan.startup.failed" and (sentence := in_a_sentence(_only(sys.exc_info()[1]))):
                message = {**message, "message": sentence.format_message()}
            await send(message)

        await self._router.lifespan(receive, shortened)

    def __getattr__(self, name: str) -> Any:
        """Everything else of the router."""
        return getattr(self._router, name)


def _only(error: BaseException | None) -> BaseException | None:
    """The error itself, out of the groups of its tasks."""
    group: Sequence[BaseException] = getattr(error, "exceptions", ())
    return _only(group[0]) if len(group) == 1 else error


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
