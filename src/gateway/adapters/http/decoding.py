"""Decoding of bodies and queries: each deviation from the declared form is an error with a JSON pointer."""

import re
from collections import Counter
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from gateway.adapters.http.field_errors import error_at, escaped, pointed, text_errors
from gateway.adapters.http.form_errors import form_of
from gateway.adapters.http.messages import BodyT
from gateway.adapters.http.operations import Body
from gateway.adapters.http.problems import HttpRefusal, invalid_request
from gateway.domain.errors import InvalidInput

_AT = re.compile(r" - at (?:`key` in )?`\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]")
NO_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_FIRST_ITEM = re.compile(r"`\$\.(?P<field>\w+)\[(?P<index>\d+)\]")
_LENGTH_MAX = re.compile(r"Expected `array` of length <= (?P<items>\d+)")
_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")


def decode_body(raw: bytes, decoder: msgspec.json.Decoder[BodyT]) -> BodyT:
    """A body in JSON as the decoder's type (a `msgspec.Struct`). The decoder must be strict.

    Raises:
        HttpRefusal: `validation_error`, with all errors: no JSON, not in UTF-8, nested too deep, or not of the type.
    """
    try:
        body = decoder.decode(raw)
    except msgspec.ValidationError:
        body = _decoded_without_nulls(raw, decoder.type)
    except NO_JSON as error:
        raise _not_json(error) from error
    # JSON can hold forbidden characters only as escapes: without any, texts need no check.
    if b"\\u" in raw and _is_checked_here(body) and (errors := text_errors(body)):
        raise invalid_request(errors)
    return body


def decode_query(raw: bytes, kind: type[Any]) -> Any:
    """A query string as a `kind`, as strictly as a body. Only `limit` is converted from text first, to an integer.

    Raises:
        HttpRefusal: `validation_error`, with all errors: a parameter is unknown, repeated, or not of the declared form.
    """
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, strict_parsing=bool(raw), errors="strict")
    except ValueError as error:
        raise invalid_request([error_at("", "query_malformed", "The query string is malformed.")]) from error
    counted = Counter(name for name, _ in pairs)
    values: dict[str, str | int] = dict(pairs)
    if len(values) != len(pairs):
        repeated = [name for name, count in counted.items() if count > 1]
        detail = "This parameter may be given once."
        raise invalid_request([error_at(f"/{escaped(name)}", "parameter_repeated", detail) for name in repeated])
    limit = values.get("limit")
    if isinstance(limit, str) and _WHOLE_NUMBER.fullmatch(limit):
        values["limit"] = int(limit)
    try:
        # Lax conversion would take "1e1" for a number, "1700000000" for a time and "null" for no filter.
        query = msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise _refused(values, kind, error) from error
    if errors := text_errors(values):
        raise invalid_request(errors)
    return query


def _is_checked_here(body: object) -> bool:
    return not isinstance(body, Body) or body.texts_checked_with_form


def _decoded_without_nulls(raw: bytes, kind: type[Any]) -> Any:
    """The body without its optional fields that are null: null means absent.

    Raises:
        HttpRefusal: The body is not valid without them either.
    """
    try:
        value = form_of(kind).without_nulls(msgspec.json.decode(raw))
    except NO_JSON as error:  # After the first deviation from the form, where the typed decoder stopped.
        raise _not_json(error) from error
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _refused(value, kind, error) from error


def _not_json(error: Exception) -> HttpRefusal:
    if isinstance(error, RecursionError):
        return invalid_request([error_at("", "json_too_deep", "The body is nested too deep.")])
    return invalid_request([error_at("", "json_malformed", "The body is not JSON in UTF-8.")])


def _refused(value: Any, kind: type[Any], error: msgspec.ValidationError) -> HttpRefusal:
    """The refusal of a value that is not of the declared form, with all errors."""
    at = _FIRST_ITEM.search(str(error))
    if errors := form_of(kind).errors(value, None if at is None else (at["field"], int(at["index"]))):
        return invalid_request(errors)
    if isinstance(error.__cause__, InvalidInput):  # A check of the type that its schema does not express.
        return invalid_request(pointed(error.__cause__, value))
    location = _AT.search(str(error))
    pointer = _pointer(location.group("path")) if location else ""
    length = _LENGTH_MAX.match(str(error))
    detail = f"This may have up to {length['items']} items." if length else "This is not valid here."
    return invalid_request([error_at(pointer, "value_invalid", detail)])


def _pointer(path: str) -> str:
    """The JSON pointer (RFC 6901) for msgspec's `.items[0].amount`. Keys of mappings are not in either."""
    return "".join(f"/{escaped(step['name'] or step['index'])}" for step in _STEP.finditer(path))
