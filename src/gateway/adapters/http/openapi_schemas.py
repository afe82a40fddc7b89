"""The schemas of the OpenAPI document: msgspec's, changed for the client generators of other languages.

Generated clients break on what linters accept: integers without a width have 32 bits in Java, Go, C#, Kotlin and Rust;
a closed enum makes a client raise on a new value; a field with a default is required in TypeScript.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

Schema = dict[str, Any]

REFERENCE: Final = "#/components/schemas/"
CONSTANT_FIELDS: Final = frozenset({"object", "token_type"})
"""Fields of responses with a single value that never changes."""

GENERICS: Final = {"EventDataOf": "EventData", "EventOf": "Event", "ListView": "List"}
"""The ends of the names of generic types for clients."""

ENUMS: Final = {
    "AccountKind": "Whose money an account counts.",
    "AccountStatus": (
        "What an account may do: a frozen one receives but does not pay. On a suspended one, whose owner is disabled, "
        "nothing new begins. A closed one does nothing any more."
    ),
    "ActorKind": "What somebody is who does something.",
    "AuditAction": "What was done.",
    "CaptureMethod": "When the merchant gets the money: with the payment, or when they ask for it.",
    "PaymentAction": "What can be asked of a payment.",
    "PaymentStatus": (
        "Where a payment stands. Refunds are no states: the amount refunded and the refunds tell of them."
    ),
    "Role": "What a user is to the gateway. One user has one role, for life.",
    "TransactionType": "Why money moved.",
    "UserStatus": "Whether a user may log in.",
}
"""The descriptions of enums, which are types of the domain: their docstrings are for programmers."""


class Schemas:
    """The schemas of all types, by name.

    Attributes:
        components: The named schemas of request bodies and of responses.
    """

    def __init__(self, *, requests: Iterable[Any], queries: Iterable[Any], responses: Iterable[Any]) -> None:
        self._references: dict[Any, Schema] = {}
        request_schemas = self._named({*requests, *queries})
        response_schemas = self._named(set(responses))
        closed = {name: _of_request(schema, request_schemas) for name, schema in request_schemas.items()}
        self._queries = {kind: closed[kind.__name__]["properties"] for kind in set(queries)}
        inlined = {kind.__name__ for kind in self._queries} | {
            name for name, schema in request_schemas.items() if _is_enum(schema)
        }
        self.components: dict[str, Schema] = {
            **{name: schema for name, schema in closed.items() if name not in inlined},
            **{_renamed(name): _of_response(schema) for name, schema in response_schemas.items()},
        }

    def reference(self, kind: Any) -> Schema:
        """The reference to a type's schema."""
        return self._references[kind]

    def query(self, kind: Any) -> dict[str, Schema]:
        """The schemas of the parameters of a query, by name. A parameter cannot be null."""
        return {name: _without_null(schema) for name, schema in self._queries[kind].items()}

    def _named(self, kinds: set[Any]) -> dict[str, Schema]:
        ordered = sorted(kinds, key=str)
        references, components = msgspec.json.schema_components(ordered, ref_template=REFERENCE + "{name}")
        for kind, reference in zip(ordered, references, strict=True):
            self._references[kind] = _changed(reference, _with_new_names)
        for name, schema in components.items():
            if _is_enum(schema):
                schema["description"] = ENUMS[name]
        return components


def _of_request(schema: Schema, components: dict[str, Schema]) -> Schema:
    """The schema of a request, as strict as decoding. Defaults are in the descriptions."""

    def change(part: Schema) -> Schema:
        name = part.get("$ref", "").removeprefix(REFERENCE)
        if name in components and _is_enum(components[name]):
            part = {**components[name], **{key: value for key, value in part.items() if key != "$ref"}}
        part = _compact(_with_default_in_words(_with_new_names(part)))
        if "enum" in part:
            # Enums are inlined: generators name their types after the title.
            part = {"type": "string", **part, **({"title": name} if name else {})}
        return _with_nulls(part) if "properties" in part else part

    return _changed(schema, change)


def _with_nulls(schema: Schema) -> Schema:
    """With null as a value of optional fields: null means absent."""
    fields = schema["properties"].items()
    return {
        **schema,
        "properties": {name: field if name in schema["required"] else _or_null(field) for name, field in fields},
    }


def _or_null(field: Schema) -> Schema:
    if "type" not in field or "null" in field["type"]:
        return field
    if "enum" in field:
        return {"anyOf": [field, {"type": "null"}]}
    return {**field, "type": [field["type"], "null"]}


def _of_response(schema: Schema) -> Schema:
    """The schema of a response: all fields are required, and enums are open."""

    def change(part: Schema) -> Schema:
        if "properties" in part:
            part = _with_all_fields(part)
        elif "enum" in part:
            part = _opened(part)
        return _compact(_with_new_names(part))

    return _changed(schema, change)


def _with_all_fields(schema: Schema) -> Schema:
    """With fields that have a default as required: they are always sent. Only fields that may be unset are optional."""
    properties: dict[str, Schema] = {}
    for name, field in schema["properties"].items():
        properties[name] = {key: value for key, value in field.items() if key != "default"}
        if name in CONSTANT_FIELDS and "x-extensible-enum" in field:
            properties[name] = {"type": "string", "const": field["x-extensible-enum"][0]}
    required = [name for name in properties if name in schema["required"] or "default" in schema["properties"][name]]
    return {**schema, "properties": properties, "required": required}


def _opened(schema: Schema) -> Schema:
    """An enum as an open one: values may be added."""
    known = schema["enum"]
    words = f"One of {', '.join(f'`{value}`' for value in known)}; more may be added."
    rest = {key: value for key, value in schema.items() if key not in {"enum", "description"}}
    description = f"{schema['description']} {words}" if "description" in schema else words
    return {"type": "string", "x-extensible-enum": known, "examples": known[:1], **rest, "description": description}


def _with_default_in_words(schema: Schema) -> Schema:
    """With the default in the description: generators make fields with a default required, or not nullable."""
    if "default" not in schema:
        return schema
    default = schema["default"]
    rest = {key: value for key, value in schema.items() if key != "default"}
    if default is None or default == {}:
        return rest
    words = f"`{msgspec.json.encode(default).decode().strip(chr(34))}` unless given."
    return {**rest, "description": f"{rest['description']} {words}" if "description" in rest else words}


def _without_null(schema: Schema) -> Schema:
    kept = {key: value for key, value in schema.get("anyOf", [schema])[0].items() if key != "title"}
    if "null" in kept["type"]:
        [kept["type"], _] = kept["type"]
    return kept


def _compact(schema: Schema) -> Schema:
    """Without titles, with a width for integers, null as a second type, and dedented descriptions."""
    part = {key: value for key, value in schema.items() if key != "title"}
    if part.get("type") == "integer":
        part["format"] = "int64"
    if "description" in part:
        part["description"] = inspect.cleandoc(part["description"])
    choices = [choice for choice in part.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1 and len(part["anyOf"]) > 1 and not choices[0].keys() & {"$ref", "enum"}:
        [choice] = choices
        del part["anyOf"]
        part = {**choice, **part, "type": [choice["type"], "null"]}
    return part


def _with_new_names(schema: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    return {**schema, "$ref": REFERENCE + _renamed(schema["$ref"].removeprefix(REFERENCE))}


def _renamed(name: str) -> str:
    """The name of a type for clients: `Payment` for `PaymentView`, `PaymentList` for `ListView_PaymentView_`."""
    generic, _, kind = name.rstrip("_").partition("_")
    return kind.removesuffix("View") + GENERICS[generic] if kind else name.removesuffix("View")


def _is_enum(schema: Schema) -> bool:
    return "enum" in schema


def _changed(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """A schema with each of its parts changed, inner parts first."""
    part = dict(schema)
    if "properties" in part:
        part["properties"] = {name: _changed(field, change) for name, field in part["properties"].items()}
    for keyword in ("items", "additionalProperties", "propertyNames"):
        if isinstance(part.get(keyword), dict):
            part[keyword] = _changed(part[keyword], change)
    if "anyOf" in part:
        part["anyOf"] = [_changed(choice, change) for choice in part["anyOf"]]
    return change(part)
