"""Errors of fields: each with a JSON pointer (RFC 6901), a code and a sentence."""

from collections.abc import Iterator
from typing import Any, Final, cast

import msgspec

from gateway.domain.card_numbers import has_card_number
from gateway.domain.checks import FORBIDDEN_TEXT
from gateway.domain.errors import InvalidInput

FieldErrors = list[dict[str, str]]

ERRORS_MAX: Final = 100
"""How many errors are listed: a body of 64 KiB may have thousands."""
DEPTH_MAX: Final = 16
"""Deeper than any form. What is below belongs to no field, and is not looked at."""
FREE_TEXT: Final = frozenset({"description", "metadata", "name", "reason"})
"""The fields in which people write what they like: the rules keep no card number in them."""
JSON_NAMES: Final = {
    "amount_minor": "amount",
    "fixed_minor": "fixed_amount",
    "current": "current_password",
    "new": "new_password",
}
"""What a field of a command is called in bodies, where the names differ."""


def error_at(pointer: str, code: str, detail: str) -> dict[str, str]:
    """One error."""
    return {"pointer": pointer, "code": code, "detail": detail}


def escaped(name: str) -> str:
    """A name as a step of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def pointer_of(field: str) -> str:
    """The JSON pointer of a command's field in a body. A field is `name`, or `name.key` in a mapping."""
    name, dot, key = field.partition(".")
    return (f"/{JSON_NAMES.get(name, name)}" if name else "") + (f"/{escaped(key)}" if dot else "")


def pointed(refusal: InvalidInput, body: object) -> FieldErrors:
    """The errors of a command's fields, with their pointers in the body that the command was made of.

    The rules stop at the first text that will not do; here all of them are listed.
    """
    found = {error["pointer"]: error for error in text_errors(body)}
    for error in refusal.errors:
        pointer = pointer_of(error.field)
        found.setdefault(pointer, error_at(pointer, error.code, error.detail))
    return list(found.values())[:ERRORS_MAX]


def text_errors(value: Any) -> FieldErrors:
    """The texts in a body that cannot be kept: for their characters, or because card numbers stand in them."""
    return [
        error_at(FORBIDDEN_TEXT.sub("\ufffd", pointer), *wrong)
        for pointer, text in texts_in(value)
        if (wrong := _wrong_with(text, pointer))
    ]


def texts_in(value: Any, pointer: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every text in a body, decoded or plain, with where it is. Keys are texts of their mapping."""
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


def _wrong_with(text: str, pointer: str) -> tuple[str, str] | None:
    if FORBIDDEN_TEXT.search(text):
        return "text_invalid", "The text has a character that cannot be kept."
    if not FREE_TEXT.isdisjoint(pointer.split("/")) and has_card_number(text):
        return "card_number", "Never send card numbers here."
    return None
