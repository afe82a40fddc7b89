"""Fingerprints of commands of Python callers. They stay the same when a command gets a field with a default."""

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, Final, get_args, get_type_hints

import msgspec

from gateway.application.engine.command import Command
from gateway.application.engine.submission import fingerprint
from gateway.domain.immutable import ADDED_LATER

_encoder = msgspec.json.Encoder(order="deterministic")
_NO_DEFAULT: Final = object()


def fingerprint_of(command: Command[Any]) -> bytes:
    """The fingerprint of a command: of its name and its fields, but fields that were added later with their default."""
    kind = type(command)
    body = encoded(command) if _leaves_out(kind) else _encoder.encode(command)
    return fingerprint(kind.__qualname__.encode(), body)


def encoded(value: object) -> bytes:
    """As msgspec encodes a value, without fields that were added later and have their default."""
    kind = type(value)
    if not is_dataclass(kind):
        return _encoder.encode(value)
    parts = [
        _encoder.encode(name) + b":" + encoded(item)
        for name, default in _defaults(kind)
        if (item := getattr(value, name)) != default
    ]
    return b"{" + b",".join(parts) + b"}"


@cache
def _defaults(kind: type[Any]) -> tuple[tuple[str, object], ...]:
    """The fields of a record; those that were added later with their default."""
    return tuple((each.name, _default(each) if _is_added(each) else _NO_DEFAULT) for each in fields(kind))


@cache
def _leaves_out(kind: type[Any]) -> bool:
    """Whether a record, or a record in it, has fields that were added later."""
    return any(_is_added(each) for record in {kind, *_records_in(kind)} for each in fields(record))


def _records_in(kind: type[Any]) -> Iterator[type[Any]]:
    hints = get_type_hints(kind)
    for each in fields(kind):
        for part in _parts(hints[each.name]):
            if isinstance(part, type) and is_dataclass(part):
                yield part
                yield from _records_in(part)


def _parts(hint: Any) -> Iterator[Any]:
    """A type, and the types in it."""
    yield hint
    for part in get_args(hint):
        yield from _parts(part)


def _is_added(record_field: "Field[Any]") -> bool:
    return ADDED_LATER.items() <= record_field.metadata.items()


def _default(record_field: "Field[Any]") -> object:
    if record_field.default_factory is not MISSING:
        return record_field.default_factory()
    return record_field.default
