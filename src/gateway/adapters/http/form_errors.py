"""All errors of a body or a query, each with a JSON pointer.

msgspec decodes requests and stops at the first error. Only then is the value validated against the published schema,
which finds all errors.
"""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final, cast

import jsonschema_rs
import msgspec
from msgspec import inspect

from gateway.adapters.http.field_errors import DEPTH_MAX, ERRORS_MAX, FieldErrors, error_at, escaped, text_errors
from gateway.domain.checks import FORBIDDEN_TEXT

INTEGER_MAX: Final = 2**63
NEVER_VALID: Final = 0.5
"""Replaces numbers with a fraction: a schema would take 1.0 for an integer, and no field has a fraction."""

VALUES_MAX: Final = 4_000
"""The values of a body whose errors are looked for: the validator takes some 10 µs for each error, in one go."""

TYPES: Final = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "object": "an object",
    "string": "a text",
}
DETAILS: Final[dict[str, Callable[[Any], str]]] = {
    "const": lambda kind: f"This must be {kind.expected_value}.",
    "enum": lambda kind: f"This must be one of {', '.join(map(str, kind.options))}.",
    "format": lambda _: "This must be a time with its offset from UTC, such as 2026-01-02T03:04:05Z.",
    "maxItems": lambda kind: f"This may have up to {_count(kind.limit, 'item')}.",
    "maxLength": lambda kind: f"This may have up to {_count(kind.limit, 'character')}.",
    "maxProperties": lambda kind: f"This may have up to {_count(kind.limit, 'field')}.",
    "maximum": lambda kind: f"This may be up to {kind.limit}.",
    "minItems": lambda kind: f"This must have at least {_count(kind.limit, 'item')}.",
    "minLength": lambda kind: f"This must have at least {_count(kind.limit, 'character')}.",
    "minimum": lambda kind: f"This must be at least {kind.limit}.",
    "pattern": lambda kind: f"This must match {kind.pattern}.",
    "type": lambda kind: f"This must be {' or '.join(TYPES[name] for name in kind.types)}.",
}
"""The sentence for an error, by the keyword of JSON Schema that failed."""

Shape = dict[str, "Shape"] | list["Shape"] | None
"""The fields of a form: a mapping for an object, a list with one shape for a list, `None` for a value."""


class _TooManyValuesError(Exception):
    """A body has more than `VALUES_MAX` values."""


class Form:
    """The declared form of a body or a query, from a `msgspec.Struct`."""

    def __init__(self, kind: type[Any]) -> None:
        self._shape = _shape_of(inspect.type_info(kind))
        schema = _without_null_type(msgspec.json.schema(kind))
        self._validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)

    def without_nulls(self, value: Any) -> Any:
        """A value decoded from JSON, without the fields that are null: null means absent."""
        return _without_nulls(value, self._shape)

    def errors(self, value: Any, first: tuple[str, int] | None = None) -> FieldErrors:
        """The errors of a value, one for each pointer, at most `ERRORS_MAX`.

        Args:
            value: Decoded from JSON.
            first: The field and the index of the first invalid item, if the items of a list before it are valid. Only
                `VALUES_MAX` values from there on are looked at.
        """
        found = {error["pointer"]: error for error in text_errors(value)}
        field, index = first or ("", 0)
        value = {**value, field: value[field][index:]} if index else value
        try:
            presentable = _presentable(value, 0, count(1))
        except _TooManyValuesError:
            return list(found.values())[:ERRORS_MAX]
        for violation in self._validator.iter_errors(presentable):
            for relative in _described(violation):
                error = _shifted(relative, f"/{field}/", index) if index else relative
                known = found.setdefault(error["pointer"], error)
                # For a value of a wrong type, errors of its bounds are noise.
                if error["code"] == "type_mismatch" and known["code"] == "value_invalid":
                    found[error["pointer"]] = error
            if len(found) >= ERRORS_MAX:
                break
        return list(found.values())[:ERRORS_MAX]


_forms: dict[type[Any], Form] = {}


def form_of(kind: type[Any]) -> Form:
    """The form of a type, made on first use."""
    if kind not in _forms:
        _forms[kind] = Form(kind)
    return _forms[kind]


def structs_in(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """The type of a body, and the types of the objects in it."""
    waiting = [inspect.type_info(kind)]
    while waiting:
        match waiting.pop():
            case inspect.StructType(cls=struct, fields=fields):
                yield struct
                waiting += [field.type for field in fields]
            case inspect.ListType(item_type=item) | inspect.Metadata(type=item):
                waiting.append(item)
            case inspect.UnionType(types=types):
                waiting += types
            case _:
                pass


def _described(violation: jsonschema_rs.ValidationError) -> Iterator[dict[str, str]]:
    kind: Any = violation.kind
    pointer = "".join(f"/{escaped(str(step))}" for step in violation.instance_path)
    if kind.name == "required":
        yield error_at(f"{pointer}/{escaped(kind.property)}", "field_missing", "This field is required.")
    elif kind.name == "additionalProperties":
        for name in kind.unexpected:
            yield error_at(f"{pointer}/{escaped(name)}", "field_unknown", "There is no such field.")
    elif kind.name == "propertyNames":
        for error in _described(kind.error):
            name = escaped(str(kind.error.instance))
            yield error_at(f"{pointer}/{name}", error["code"], error["detail"].replace("This", "The key", 1))
    else:
        is_of_another_type = kind.name == "type" or (kind.name == "enum" and not isinstance(violation.instance, str))
        detail = DETAILS.get(kind.name, lambda _: "This is not valid here.")(kind)
        yield error_at(pointer, "type_mismatch" if is_of_another_type else "value_invalid", detail)


def _shifted(error: dict[str, str], of_list: str, by: int) -> dict[str, str]:
    """An error of an item, with the item's index in the whole list."""
    if not error["pointer"].startswith(of_list):
        return error
    index, *rest = error["pointer"].removeprefix(of_list).split("/")
    return {**error, "pointer": "/".join([f"{of_list}{int(index) + by}", *rest])}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _presentable(value: Any, depth: int, numbers: "count[int]") -> Any:
    """A value for the validator: fractions, huge integers, forbidden characters and deep nesting are replaced.

    The values are numbered. The items of a list after number `VALUES_MAX` are left out.

    Raises:
        _TooManyValuesError: There are more values, and not in a list.
    """
    if next(numbers) > VALUES_MAX:
        raise _TooManyValuesError
    if isinstance(value, float) or depth > DEPTH_MAX:
        return NEVER_VALID
    if isinstance(value, str):
        return FORBIDDEN_TEXT.sub("\ufffd", value)
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-INTEGER_MAX, min(value, INTEGER_MAX))
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {FORBIDDEN_TEXT.sub("\ufffd", name): _presentable(item, depth + 1, numbers) for name, item in items}
    if isinstance(value, list):
        kept: list[Any] = []
        try:
            kept.extend(_presentable(item, depth + 1, numbers) for item in cast("list[object]", value))
        except _TooManyValuesError:
            if not kept:
                raise
        return kept
    return value


def _shape_of(info: inspect.Type) -> Shape:
    if isinstance(info, inspect.Metadata):
        return _shape_of(info.type)
    if isinstance(info, inspect.StructType):
        return {field.encode_name: _shape_of(field.type) for field in info.fields}
    if isinstance(info, inspect.ListType):
        return [_shape_of(info.item_type)]
    if isinstance(info, inspect.UnionType):
        return next((shape for shape in map(_shape_of, info.types) if shape is not None), None)
    return None


def _without_nulls(value: Any, shape: Shape) -> Any:
    if isinstance(shape, dict) and isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {
            name: _without_nulls(item, shape.get(name)) for name, item in items if item is not None or name not in shape
        }
    if isinstance(shape, list) and isinstance(value, list):
        return [_without_nulls(item, shape[0]) for item in cast("list[object]", value)]
    return value


def _without_null_type(schema: Any) -> Any:
    """A schema without null: nulls were removed from the value."""
    if isinstance(schema, list):
        return [
            _without_null_type(part) for part in cast("list[object]", schema) if part not in ({"type": "null"}, None)
        ]
    if not isinstance(schema, dict):
        return schema
    parts = {name: _without_null_type(part) for name, part in cast("dict[str, Any]", schema).items()}
    choices = parts.get("anyOf", ())
    return {**parts.pop("anyOf")[0], **parts} if len(choices) == 1 else parts
