"""The OpenAPI document, built from the same declarations that the endpoint runs."""

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from gateway.adapters.http.form_errors import structs_in
from gateway.adapters.http.operations import ANYONE, EVERY_ROLE, Idempotency, Operation
from gateway.adapters.http.problems import KINDS
from gateway.domain.limits import IDEMPOTENCY_KEY_LENGTH_MAX

OPENAPI_VERSION: Final = "3.1.0"

DESCRIPTION: Final = """\
Customers pay merchants, on a double-entry ledger.

Amounts are integers of minor units. Every request that moves money carries an `Idempotency-Key`: sending it again with
the same key gives the same answer, and never moves money twice. Refusals are problem details (RFC 9457) with a stable
`code`.
"""


class FieldProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one field. `pointer` is a JSON pointer (RFC 6901); for a header it is empty."""

    pointer: str
    code: str
    detail: str
    header: str | msgspec.UnsetType = msgspec.UNSET


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal. `retryable`: the same request, with the same key, may succeed later."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    retryable: bool
    errors: list[FieldProblem] | msgspec.UnsetType = msgspec.UNSET


def openapi_document(operations: Iterable[Operation], *, version: str, root_path: str) -> dict[str, Any]:
    """The document that describes `operations`, as plain values ready for JSON."""
    operations = list(operations)
    types = _types_of(operations)
    references, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schemas = dict(zip(types, references, strict=True))
    _let_fields_be_null([operation.body for operation in operations if operation.body is not None], components)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, schemas, components)
    return {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": "Gateway",
            "version": version,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": root_path or "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _let_fields_be_null(bodies: Iterable[type[Any]], components: dict[str, Any]) -> None:
    """Say of every field of a body that need not be given that it may be null, which is the same."""
    for kind in bodies:
        for struct in structs_in(kind):
            schema = components[struct.__name__]
            for name in schema["properties"].keys() - set(schema["required"]):
                described: dict[str, Any] = schema["properties"][name]
                if {"type": "null"} not in described.get("anyOf", ()):
                    default = {"default": described.pop("default")}
                    schema["properties"][name] = {"anyOf": [described, {"type": "null"}], **default}


def _types_of(operations: list[Operation]) -> list[Any]:
    declared = [kind for operation in operations for kind in (operation.body, operation.query, operation.result)]
    return list(dict.fromkeys([Problem, *(kind for kind in declared if kind is not None)]))


def _described(operation: Operation, schemas: dict[Any, Any], components: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "responses": _responses(operation, schemas),
        "security": [{"bearer": []}] if operation.roles else [],
    }
    if operation.roles:
        roles = ", ".join(sorted(operation.roles))
        described["description"] = f"Who may: {roles}."
    parameters = [*_path_parameters(operation), *_query_parameters(operation, components), *_headers(operation)]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {
            "required": not operation.body_optional,
            "content": {"application/json": {"schema": schemas[operation.body], "example": operation.example}},
        }
    return described


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]


def _query_parameters(operation: Operation, components: dict[str, Any]) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    properties = components[operation.query.__name__]["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": _without_null(schema)}
        for name, schema in properties.items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a query parameter: it is left out rather than null."""
    kept = {name: value for name, value in schema.items() if not (name == "default" and value is None)}
    choices = [choice for choice in kept.pop("anyOf", []) if choice != {"type": "null"}]
    return {**choices[0], **kept} if len(choices) == 1 else {**kept, **({"anyOf": choices} if choices else {})}


def _headers(operation: Operation) -> list[dict[str, Any]]:
    if operation.idempotency is Idempotency.NONE:
        return []
    return [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": operation.idempotency is Idempotency.REQUIRED,
            "description": "The same key and request again give the same answer, and `Idempotency-Replayed: true`.",
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": IDEMPOTENCY_KEY_LENGTH_MAX,
                "pattern": "^[!-~]+$",
            },
            "example": "order-1001-try-1",
        }
    ]


def _responses(operation: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    headers = {"Request-Id": {"schema": {"type": "string"}, "description": "The client's own, or ours."}}
    success: dict[str, Any] = {"description": operation.summary, "headers": headers}
    if operation.result is not None:
        success["content"] = {
            "application/json": {"schema": schemas[operation.result], "example": operation.example_result}
        }
    responses = {str(status): success for status in (operation.status, *operation.other_statuses)}
    by_status: dict[int, list[str]] = {}
    for code in codes_of(operation):
        by_status.setdefault(KINDS[code].status, []).append(code)
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = {
            "description": "; ".join(f"`{code}`: {KINDS[code].title}" for code in codes),
            "headers": headers,
            "content": {
                "application/problem+json": {
                    "schema": {
                        "allOf": [schemas[Problem], {"properties": {"code": {"enum": codes}}}],
                    },
                    "example": _example_problem(codes[0]),
                }
            },
        }
    return responses


def codes_of(operation: Operation) -> list[str]:
    """Every code that an operation may refuse with: its own, and those that its declaration implies."""
    codes = set(operation.codes)
    if operation.roles:
        codes |= {"token_missing", "token_invalid", "token_expired", "token_revoked"}
    if operation.roles not in (ANYONE, EVERY_ROLE):
        codes.add("role_forbidden")
    if "{" in operation.path:
        codes.add("not_found")  # The id has a character, such as a slash, that no id has.
    if operation.body is not None:
        codes |= {"body_too_large", "unsupported_media_type", "request_timeout"}
    if operation.idempotency is not Idempotency.NONE:
        codes |= {"idempotency_key_reused", "idempotency_in_progress"}
    if operation.idempotency is Idempotency.REQUIRED:
        codes.add("idempotency_key_missing")
    # Every path refuses unknown query parameters, and headers that are repeated.
    codes |= {"validation_error", "headers_too_large", "internal_error", "storage_unavailable", "overloaded"}
    return sorted(codes, key=lambda code: (KINDS[code].status, code))


def _example_problem(code: str) -> dict[str, Any]:
    kind = KINDS[code]
    return {
        "type": f"urn:gateway:problem:{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": f"{kind.title}.",
        "instance": "/payments",
        "code": code,
        "request_id": "req_0a1b2c3d4e5f60718293a4b5",
        "retryable": kind.retryable,
    }
