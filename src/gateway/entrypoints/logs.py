"""Logs: one line for each thing that happened, as JSON or for a terminal; never with secrets or addresses."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from gateway.settings.values import Settings

_PRIVATE: Final = ("authorization", "email", "key", "password", "secret", "token")
_TALKATIVE: Final = ("aiosqlite", "alembic", "asyncio", "httpcore", "httpx", "sqlalchemy")
"""Loggers that would write statements with their values."""


def configure_logging(settings: Settings) -> None:
    """Send what this process logs, the libraries' lines too, to stderr in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        drop_color_message,
        hide_private,
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if logs_json(settings)
        else [structlog.dev.ConsoleRenderer()]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def logs_json(settings: Settings) -> bool:
    """Whether lines are for programs. Production's are, also on a terminal."""
    if settings.log_format == "auto":
        return settings.environment == "production" or not sys.stderr.isatty()
    return settings.log_format == "json"


def drop_color_message(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Leave out uvicorn's second copy of its message, with terminal colours in it."""
    event.pop("color_message", None)
    return event


def hide_private(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide the values of fields whose names say that they are private: the last fence, not the first."""
    for name in event:
        if any(private in name.lower() for private in _PRIVATE):
            event[name] = "(hidden)"
    return event
