"""Bodies and queries, read strictly: what is not of the declared form is refused, with a JSON pointer."""

import re
from collections import Counter
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from gateway.adapters.http.field_errors import error_at, escaped, pointed, text_errors
from gateway.adapters.http.form_errors import form_of
from gateway.adapters.http.messages import BodyT
from gateway.adapters.http.problems import HttpRefusal, invalid_request
from gateway.domain.errors import InvalidInput

_AT = re.compile(r" - at (?:`key` in )?`\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]")
NO_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")


def decode_body(raw: bytes, decoder: msgspec.json.Decoder[BodyT]) -> BodyT:
    """The JSON of `raw` as what the decoder makes (a msgspec.Struct); it must be a strict one.

    Raises:
        HttpRefusal: It is no JSON, not in UTF-8, nested too deep, or not of the declared form: all errors are listed.
    """
    try:
        body = decoder.decode(raw)
    except msgspec.ValidationError:
        body = _decoded_without_nulls(raw, decoder.type)
    except NO_JSON as error:
        raise _not_json(error) from error
    # The check looks into every text, and so is made only where the raw bytes say that there may be something.
    if b"\\u" in raw and (errors := text_errors(body)):
        raise invalid_request(errors)
    return body


def decode_query(raw: bytes, kind: type[Any]) -> Any:
    """A query string as a `kind`, as strictly as a body. Every value is text: whole numbers are read from it first.

    Raises:
        HttpRefusal: A parameter is unknown, given twice, or not of the declared form: all errors are listed.
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
        # Strict: else "1e1" would be a number, "1700000000" a time, and "null" no filter at all.
        query = msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise _refused(values, kind, error) from error
    if errors := text_errors(values):
        raise invalid_request(errors)
    return query


def _decoded_without_nulls(raw: bytes, kind: type[Any]) -> Any:
    """The body without the fields that are null, which nearly all of them may be; or the refusal of what is wrong."""
    try:
        value = form_of(kind).without_nulls(msgspec.json.decode(raw))
    except NO_JSON as error:  # Behind the first thing that is wrong.
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
    """The refusal of a value which is not of the declared form, with all that is wrong with it."""
    if errors := form_of(kind).errors(value):
        return invalid_request(errors)
    if isinstance(error.__cause__, InvalidInput):  # What the type itself checks, and no schema says.
        return invalid_request(pointed(error.__cause__, value))
    where = _AT.search(str(error))
    pointer = _pointer(where.group("path")) if where else ""
    return invalid_request([error_at(pointer, "value_invalid", "This is not valid here.")])


def _pointer(path: str) -> str:
    """What msgspec calls `.items[0].amount`, as a JSON pointer (RFC 6901). It does not tell the keys of mappings."""
    return "".join(f"/{escaped(step['name'] or step['index'])}" for step in _STEP.finditer(path))
