"""Bodies and queries, read strictly: what is not of the declared form is refused, with a JSON pointer."""

import re
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import parse_qsl

import msgspec

from gateway.adapters.http.problems import HttpRefusal, escaped, invalid_request
from gateway.domain.checks import FORBIDDEN_TEXT

_AT = re.compile(r" - at (?:`key` in )?`\$(?P<path>[^`]*)`$")
_FIELD = re.compile(r"field `(?P<name>[^`]*)`")
_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]")
_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")


def decode_body(raw: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    """The JSON of `raw` as what the decoder makes (a msgspec.Struct); it must be a strict one.

    Raises:
        HttpRefusal: It is no JSON, not in UTF-8, nested too deep, or not of the declared form.
    """
    try:
        body = decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _invalid("", "json_malformed", "The body is not JSON in UTF-8.") from error
    except RecursionError as error:
        raise _invalid("", "json_too_deep", "The body is nested too deep.") from error
    # The check looks into every text, and so is made only where the raw bytes say that there may be something.
    if b"\\u" in raw:
        _refuse_unstorable(body)
    return body


def decode_query(raw: bytes, kind: type[Any]) -> Any:
    """A query string as a `kind`, as strictly as a body. Every value is text: whole numbers are read from it first.

    Raises:
        HttpRefusal: A parameter is unknown, given twice, or not of the declared form.
    """
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, strict_parsing=bool(raw), errors="strict")
    except ValueError as error:
        raise _invalid("", "query_malformed", "The query string is malformed.") from error
    values: dict[str, str | int] = dict(pairs)
    if len(values) != len(pairs):
        raise _invalid("", "parameter_repeated", "A parameter is given twice.")
    for name, value in pairs:
        if FORBIDDEN_TEXT.search(value):
            raise _invalid(f"/{escaped(name)}", "text_invalid", "The text has a character that cannot be kept.")
    limit = values.get("limit")
    if isinstance(limit, str) and _WHOLE_NUMBER.fullmatch(limit):
        values["limit"] = int(limit)
    try:
        # Strict: else "1e1" would be a number, "1700000000" a time, and "null" no filter at all.
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from error


def _refused(message: str) -> HttpRefusal:
    where = _AT.search(message)
    detail = message[: where.start()] if where else message
    pointer = _pointer(where.group("path")) if where else ""
    named = _FIELD.search(detail)
    if named and detail.startswith("Object missing"):
        return _invalid(f"{pointer}/{escaped(named.group('name'))}", "field_missing", "This field is required.")
    if named and detail.startswith("Object contains unknown"):
        return _invalid(f"{pointer}/{escaped(named.group('name'))}", "field_unknown", "There is no such field.")
    code = "type_mismatch" if ", got " in detail else "value_invalid"
    return _invalid(pointer, code, f"{detail}.")


def _pointer(path: str) -> str:
    """What msgspec calls `.items[0].amount`, as a JSON pointer (RFC 6901). It does not tell the keys of mappings."""
    return "".join(f"/{escaped(step['name'] or step['index'])}" for step in _STEP.finditer(path))


def _refuse_unstorable(body: Any) -> None:
    for pointer, text in _texts(body, ""):
        if FORBIDDEN_TEXT.search(text):
            raise _invalid(pointer, "text_invalid", "The text has a character that cannot be kept.")


def _texts(value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """Every text in a decoded body, with where it is."""
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _texts(getattr(value, name), f"{pointer}/{name}")
    elif isinstance(value, dict):
        for name, item in cast("dict[str, Any]", value).items():
            yield pointer, name
            yield from _texts(item, f"{pointer}/{escaped(name)}")
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[object]", value)):
            yield from _texts(item, f"{pointer}/{index}")


def _invalid(pointer: str, code: str, detail: str) -> HttpRefusal:
    return invalid_request([{"pointer": pointer, "code": code, "detail": detail}])
