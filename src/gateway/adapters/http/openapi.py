"""The OpenAPI document, made from the operations that the endpoint serves."""

import re
from collections.abc import Iterable
from typing import Any, Final

from gateway.adapters.http.authorization import Objects
from gateway.adapters.http.openapi_responses import HEADERS, Problem, responses_of, shared_responses
from gateway.adapters.http.openapi_schemas import Schemas
from gateway.adapters.http.openapi_webhooks import BODIES, TAG, webhooks_of
from gateway.adapters.http.openapi_webhooks import PARAMETERS as WEBHOOK_PARAMETERS
from gateway.adapters.http.operations import AnyOperation, Idempotency
from gateway.domain.limits import ID_LENGTH_MAX, IDEMPOTENCY_KEY_LENGTH_MAX

OPENAPI_VERSION: Final = "3.1.0"
LICENSE_URL: Final = "https://www.apache.org/licenses/LICENSE-2.0"

DESCRIPTION: Final = """\
Customers pay merchants, on a double-entry ledger.

Amounts are integers of minor units: `1050` with `USD` is $10.50. Every request that moves money carries an
`Idempotency-Key`: the same request with the same key gives the same answer, for 7 days at least, and does not move
money twice. Later the key is free again.

Refusals are problem details (RFC 9457) with a stable `code`. New codes, statuses and fields may be added at any time:
clients ignore what they do not know. A method that a path does not take is 405 with `Allow`.
"""

TAGS: Final = {
    "API keys": "What machines sign in with.",
    "Access": "Users and tokens: registration, sessions, and the keys that verify access tokens.",
    "Accounts and deposits": "What customers and merchants hold, and how money comes in.",
    "Customers": "Customers without passwords, whom a merchant manages.",
    "Events": "What has changed: lists, and a stream.",
    "Exchange": "Rates, and quotes that hold one for a payment.",
    "Fees": "What the gateway keeps of payments to a merchant.",
    "Members": "Users who act for a merchant, each with a role.",
    "Operations": "Health, and whether the ledger is sound.",
    "Payments": "From a customer to a merchant: at once, with a hold, or on request.",
    "Payouts": "How money leaves.",
    "Refunds": "Captured money that goes back to its customer.",
    "Webhooks": "Where events are sent, signed.",
    "Transactions": "What moved, with both sides of every transfer.",
}
PARAMETERS: Final = {
    "account_id": "The id of an account.",
    "action": "What was done.",
    "actor": "Who did it: the id of a user or a key, `cli` or `system`.",
    "after": "Behind the event at this position, oldest first; empty: from the oldest event that is kept.",
    "created_after": "Made then or later.",
    "created_before": "Made before then.",
    "currency": "In this currency.",
    "cursor": "The `next_cursor` of the page before, with the same filters.",
    "customer_id": "The user id of a customer.",
    "email": "With this e-mail address, in any spelling.",
    "endpoint_id": "The id of a webhook endpoint.",
    "event_id": "The id of an event.",
    "external_id": "With this name that the merchant has given.",
    "from": "The currency that is paid.",
    "key_id": "The id of an API key.",
    "limit": "How many at most.",
    "member_id": "The id of a member of a merchant.",
    "merchant_id": "The user id of a merchant.",
    "object_id": "The id of the object that changed.",
    "owner_id": "The user id of an owner; for operators.",
    "payment_id": "The id of a payment.",
    "quote_id": "The id of a quote.",
    "reference": "With this reference.",
    "refund_id": "The id of a refund.",
    "status": "In this status.",
    "to": "The currency that is received.",
    "transaction_id": "The id of a transaction.",
    "type": "Of this type.",
    "user_id": "The id of a user.",
}
"""The description of each parameter, in paths and queries."""

PATH_EXAMPLES: Final = {
    "account_id": "acc_01kc3x0m5fe7v8qj2r4n6p9stb",
    "customer_id": "usr_01kc3x0m5fe7v8qj2r4n6p9stv",
    "endpoint_id": "whe_01kc3x0m5fe7v8qj2r4n6p9stk",
    "event_id": "evt_01kc3x0m5fe7v8qj2r4n6p9stm",
    "from": "EUR",
    "key_id": "key_01kc3x0m5fe7v8qj2r4n6p9stq",
    "member_id": "mem_01kc3x0m5fe7v8qj2r4n6p9sts",
    "merchant_id": "usr_01kc3x0m5fe7v8qj2r4n6p9stf",
    "payment_id": "pay_01kc3x0m5fe7v8qj2r4n6p9ste",
    "quote_id": "quo_01kc3x0m5fe7v8qj2r4n6p9stj",
    "refund_id": "ref_01kc3x0m5fe7v8qj2r4n6p9stg",
    "to": "USD",
    "transaction_id": "txn_01kc3x0m5fe7v8qj2r4n6p9std",
    "user_id": "usr_01kc3x0m5fe7v8qj2r4n6p9sta",
}

SECURITY_SCHEMES: Final[dict[str, dict[str, Any]]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access token of a user who has logged in.",
    },
    # Linters know scopes of OAuth alone: that of an operation is its `x-required-scope`.
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "gk_test_… or gk_live_…",
        "description": "An API key. It may do what its owner's role may, as far as its scopes reach.",
    },
}

LAST_EVENT_ID: Final[dict[str, Any]] = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "The position of the last event that is known. It takes precedence over `after`.",
    "schema": {"type": "string", "pattern": "^[ \\t]*[0-9]*[ \\t]*$"},
    "example": "4096",
}


# Without an example: clients that fill in examples would act for a merchant whom they do not know.
GATEWAY_MERCHANT: Final[dict[str, Any]] = {
    "name": "Gateway-Merchant",
    "in": "header",
    "required": False,
    "description": "The user id of the merchant that the caller acts for, as a member; without it, for themselves.",
    "schema": {"type": "string", "minLength": 1, "maxLength": ID_LENGTH_MAX, "pattern": "^[!-~]+$"},
}


def openapi_document(operations: Iterable[AnyOperation], *, version: str, server_url: str) -> dict[str, Any]:
    """The document as plain values for JSON.

    Args:
        operations: In the order of the document.
        version: Of the gateway.
        server_url: The base of the operations' paths, for example `https://pay.example.com/gateway`.
    """
    operations = list(operations)
    schemas = Schemas(
        requests=_declared(operation.body for operation in operations),
        queries=_declared(operation.query for operation in operations),
        responses=[Problem, *_declared(operation.result for operation in operations), *BODIES.values()],
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, schemas)
    return {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": "Gateway",
            "version": version,
            "description": DESCRIPTION,
            "contact": {"name": "The maintainers of Gateway"},
            "license": {"name": "Apache-2.0", "url": LICENSE_URL},
        },
        "servers": [{"url": server_url}],
        "tags": [
            {"name": tag, "description": TAGS[tag]}
            for tag in sorted({TAG, *(operation.tag for operation in operations)}, key=str.lower)
        ],
        "paths": paths,
        "webhooks": webhooks_of(schemas),
        "components": {
            "schemas": schemas.components,
            "responses": shared_responses(schemas.reference(Problem)),
            "headers": HEADERS,
            "parameters": WEBHOOK_PARAMETERS,
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _declared(kinds: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(kind for kind in kinds if kind is not None))


def _described(operation: AnyOperation, schemas: Schemas) -> dict[str, Any]:
    result = None if operation.result is None else schemas.reference(operation.result)
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": _who_may(operation),
        "responses": responses_of(operation, result),
        "security": _security(operation),
    }
    if operation.scope is not None:
        described["x-required-scope"] = operation.scope.value
    parameters = [*_path_parameters(operation), *_query_parameters(operation, schemas), *_headers(operation)]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {
            "required": not operation.body_optional,
            "content": {"application/json": {"schema": schemas.reference(operation.body), **_examples(operation)}},
        }
    return described


def _who_may(operation: AnyOperation) -> str:
    if not operation.roles:
        return "Who may: anyone, without a token."
    key = "no API key" if operation.scope is None else f"API keys with the scope `{operation.scope}`"
    objects = "" if operation.row.objects is Objects.NONE else f" Whose objects: {operation.row.objects}."
    least = operation.row.least
    members = "" if least is None else f" For a merchant: members from the role `{least}`."
    return f"Who may: {', '.join(sorted(operation.roles))}; {key}.{objects}{members}"


def _security(operation: AnyOperation) -> list[dict[str, list[str]]]:
    if not operation.roles:
        return []
    return [{"bearer": []}] if operation.scope is None else [{"bearer": []}, {"apiKey": []}]


def _examples(operation: AnyOperation) -> dict[str, Any]:
    if operation.examples:
        return {"examples": {name: {"value": example} for name, example in operation.examples.items()}}
    return {"example": operation.example}


def _path_parameters(operation: AnyOperation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": PARAMETERS[name],
            "schema": {"type": "string", **({"pattern": "^[A-Z]{3}$"} if name in {"from", "to"} else {})},
            "example": PATH_EXAMPLES[name],
        }
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]


def _query_parameters(operation: AnyOperation, schemas: Schemas) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    return [
        {"name": name, "in": "query", "required": False, "description": PARAMETERS[name], "schema": schema}
        for name, schema in schemas.query(operation.query).items()
    ]


def _headers(operation: AnyOperation) -> list[dict[str, Any]]:
    merchant = [] if operation.row.least is None else [GATEWAY_MERCHANT]
    if operation.takes_last_event_id:
        return [*merchant, LAST_EVENT_ID]
    if operation.idempotency is Idempotency.NONE:
        return merchant
    return [
        *merchant,
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": operation.idempotency is Idempotency.REQUIRED,
            "description": "The same key and request again give the same answer, and `Idempotency-Replayed: true`, for "
            "7 days at least. Later the key is free: it is a new request then.",
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": IDEMPOTENCY_KEY_LENGTH_MAX,
                "pattern": "^[!-~]+$",
            },
            "example": f"{operation.name}-1",
        },
    ]
