"""The ASGI application: `uvicorn --factory gateway.entrypoints.api:app`."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from litestar import Litestar

from gateway.bootstrap.garbage_collection import collect_garbage_seldom
from gateway.bootstrap.serving import app_of
from gateway.entrypoints.access_lines import access_lines
from gateway.entrypoints.failures import in_a_sentence
from gateway.entrypoints.logs import configure_logging, logs_json
from gateway.entrypoints.orphans import end_with_parent
from gateway.settings.reader import read_settings

__all__ = ["app", "app_of"]


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
