"""Errors of fields: a JSON pointer (RFC 6901), a code and a sentence. Refusals of the rules name fields in Python."""

from collections.abc import Iterator
from typing import Any, Final, cast

import msgspec

from gateway.domain.card_numbers import has_card_number
from gateway.domain.checks import FORBIDDEN_TEXT
from gateway.domain.errors import InvalidInput

FieldErrors = list[dict[str, str]]

ERRORS_MAX: Final = 100
"""The errors listed in a response: a body of 64 KiB may have thousands."""
DEPTH_MAX: Final = 16
"""Deeper than any declared form: values below are not checked."""
FREE_TEXT: Final = frozenset({"description", "metadata", "name", "reason"})
"""The fields with free text, in which the rules refuse card numbers."""
JSON_NAMES: Final = {
    "amount_minor": "amount",
    "fixed_minor": "fixed_amount",
    "current": "current_password",
    "new": "new_password",
    "created_from": "from",
    "created_to": "to",
}
"""The names of fields in bodies, where they differ from those in Python."""


def error_at(pointer: str, code: str, detail: str) -> dict[str, str]:
    """One error."""
    return {"pointer": pointer, "code": code, "detail": detail}


def escaped(name: str) -> str:
    """A name as a step of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def pointer_of(field: str) -> str:
    """The JSON pointer of a command's field: `name`, or `name.key` for a key of a mapping."""
    name, dot, key = field.partition(".")
    return (f"/{JSON_NAMES.get(name, name)}" if name else "") + (f"/{escaped(key)}" if dot else "")


def pointed(refusal: InvalidInput, body: object) -> FieldErrors:
    """The errors of a refusal, with pointers into the body of the request.

    The rules stop at the first invalid text; here all invalid texts are listed.
    """
    found = {error["pointer"]: error for error in text_errors(body)}
    for error in refusal.errors:
        pointer = pointer_of(error.field)
        found.setdefault(pointer, error_at(pointer, error.code, error.detail))
    return list(found.values())[:ERRORS_MAX]


def text_errors(value: Any) -> FieldErrors:
    """The errors of texts in a body: forbidden characters and card numbers."""
    return [
        error_at(FORBIDDEN_TEXT.sub("\ufffd", pointer), *error)
        for pointer, text in texts_in(value)
        if (error := _text_error(text, pointer))
    ]


def texts_in(value: Any, pointer: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Each text in a body, typed or plain, after its pointer. A key of a mapping has the mapping's pointer."""
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from texts_in(getattr(value, name), f"{pointer}/{name}", depth + 1)
    elif isinstance(value, dict) and depth < DEPTH_MAX:
        for name, item in cast("dict[str, Any]", value).items():
            yield pointer, name
            yield from texts_in(item, f"{pointer}/{escaped(name)}", depth + 1)
    elif isinstance(value, list) and depth < DEPTH_MAX:
        for index, item in enumerate(cast("list[object]", value)):
            yield from texts_in(item, f"{pointer}/{index}", depth + 1)


def _text_error(text: str, pointer: str) -> tuple[str, str] | None:
    if FORBIDDEN_TEXT.search(text):
        return "text_invalid", "The text has a character that cannot be kept."
    if not FREE_TEXT.isdisjoint(pointer.split("/")) and has_card_number(text):
        return "card_number", "Never send card numbers here."
    return None
