"""The access log as lines: each made at once and written at once, past the machinery of `logging`.

A line of `logging` and structlog costs several times as much as all of this.
"""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, TextIO

import msgspec

from gateway.adapters.http import AccessLog, Entry

EVENT: Final = "request"
LOGGER: Final = "gateway.access"


class _Line(msgspec.Struct, omit_defaults=True):
    """One request as JSON, under the names that every line of the log has."""

    timestamp: str
    method: str
    route: str
    status: int
    ms: float
    request_id: str
    user_id: str = ""
    api_key_id: str = ""
    code: str = ""
    errors: list[object] = []


_encoder = msgspec.json.Encoder()
_HEAD: Final = f'{{"event":"{EVENT}","level":"info","logger":"{LOGGER}",'


def access_lines(stream: TextIO, *, as_json: bool) -> AccessLog:
    """Write entries as lines.

    Args:
        stream: Where to. It is line-buffered, as standard error is, so that each line is one write.
        as_json: Whether as JSON, or for people.
    """
    form = json_line if as_json else console_line

    def write(entry: Entry) -> None:
        # The request is answered: a full disk or a closed pipe may cost the line, and nothing else.
        with suppress(OSError, ValueError):
            stream.write(form(entry, _now()))

    return write


def json_line(entry: Entry, timestamp: str) -> str:
    """An entry as a line of JSON."""
    line = _Line(
        timestamp=timestamp,
        method=entry.method,
        route=entry.route,
        status=entry.status,
        ms=_milliseconds(entry),
        request_id=entry.request_id,
        user_id=entry.user_id,
        api_key_id=entry.api_key_id,
        code=entry.code,
        errors=[*entry.errors],
    )
    return f"{_HEAD}{_encoder.encode(line)[1:].decode()}\n"


def console_line(entry: Entry, timestamp: str) -> str:
    """An entry as a line for people: `… POST /payments 402 3.1 ms req_… usr_… insufficient_funds`."""
    errors = ", ".join(f"{error.pointer} {error.code}" for error in entry.errors)
    what = f"{timestamp} {entry.method:<6} {entry.route} {entry.status} {_milliseconds(entry)} ms {entry.request_id}"
    return " ".join(filter(None, (what, entry.user_id, entry.api_key_id, entry.code, errors))) + "\n"


def _milliseconds(entry: Entry) -> float:
    return round(entry.seconds * 1000, 1)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
