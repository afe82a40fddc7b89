"""The responses of the OpenAPI document. Refusals are described once for each status, and operations refer to them."""

from typing import Annotated, Any, Final

import msgspec

from gateway.adapters.http.authorization import ANYONE, EVERY_ROLE, VIEWER
from gateway.adapters.http.operations import AnyOperation, Idempotency
from gateway.adapters.http.problems import KINDS

Described = dict[str, Any]

NAMES: Final = {
    400: "BadRequest",
    401: "Unauthorized",
    402: "PaymentRequired",
    403: "Forbidden",
    404: "NotFound",
    408: "RequestTimeout",
    409: "Conflict",
    413: "ContentTooLarge",
    415: "UnsupportedMediaType",
    422: "UnprocessableContent",
    429: "TooManyRequests",
    431: "HeadersTooLarge",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}
"""The names of the shared responses, by status. No described operation responds with 405."""

CODES: Final = "A stable name for the refusal; more may be added. " + " ".join(
    f"`{code}`: {kind.title}." for code, kind in KINDS.items()
)

HEADERS: Final[dict[str, Described]] = {
    "Request-Id": {"description": "The client's own, or ours.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true` if the key was answered before: this is that answer, to the byte.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "After how many seconds the same request, with the same key, may be sent again.",
        "schema": {"type": "integer", "format": "int64"},
    },
    "RateLimit": {
        "description": "How many requests are left (`r`) of the limit that this one was counted for, and in how many "
        "seconds all are (`t`): draft-ietf-httpapi-ratelimit-headers-10. Missing without a limit.",
        "schema": {"type": "string"},
        "example": '"requests";r=59999;t=1',
    },
    "RateLimit-Policy": {
        "description": "The limit: `q` requests in `w` seconds. Missing without a limit.",
        "schema": {"type": "string"},
        "example": '"requests";q=60000;w=60',
    },
    "WWW-Authenticate": {"description": "How to sign in: `Bearer`.", "schema": {"type": "string"}},
    "Accept-Encoding": {
        "description": "With 415 for a compressed body: the encodings that are taken.",
        "schema": {"type": "string"},
    },
}
RATE_LIMIT: Final = ("RateLimit", "RateLimit-Policy")
"""The headers of responses to requests that were counted."""
HEADERS_OF_STATUS: Final = {
    401: ("WWW-Authenticate",),
    402: ("Idempotency-Replayed",),
    403: ("Retry-After",),
    404: ("Idempotency-Replayed",),
    409: ("Idempotency-Replayed", "Retry-After"),
    415: ("Accept-Encoding",),
    422: ("Idempotency-Replayed",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}


class FieldProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one field. `pointer` is a JSON pointer (RFC 6901); for a header it is empty."""

    pointer: str
    code: str
    detail: str
    header: str | msgspec.UnsetType = msgspec.UNSET


class FailedItem(msgspec.Struct, frozen=True, kw_only=True):
    """The item that a batch was aborted for: where it stands in the batch, and what `POST /payments` would answer."""

    index: int
    idempotency_key: str
    status: int
    code: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal (RFC 9457). `retryable`: the same request, with the same key, may succeed later.

    Members from `errors` on are facts of some codes. More may be added.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: Annotated[str, msgspec.Meta(description=CODES, extra_json_schema={"x-extensible-enum": list(KINDS)})]
    request_id: str
    retryable: bool
    errors: list[FieldProblem] | msgspec.UnsetType = msgspec.UNSET
    remaining: int | msgspec.UnsetType = msgspec.UNSET
    posted: int | msgspec.UnsetType = msgspec.UNSET
    held: int | msgspec.UnsetType = msgspec.UNSET
    incoming: int | msgspec.UnsetType = msgspec.UNSET
    current_status: str | msgspec.UnsetType = msgspec.UNSET
    allowed_actions: list[str] | msgspec.UnsetType = msgspec.UNSET
    payment_id: str | msgspec.UnsetType = msgspec.UNSET
    target_amount: int | msgspec.UnsetType = msgspec.UNSET
    current_rate: str | msgspec.UnsetType = msgspec.UNSET
    disabled_reason: str | msgspec.UnsetType = msgspec.UNSET
    rule: str | msgspec.UnsetType = msgspec.UNSET
    required_scope: str | msgspec.UnsetType | None = msgspec.UNSET
    reversed_by: str | msgspec.UnsetType = msgspec.UNSET
    failed_item: FailedItem | msgspec.UnsetType = msgspec.UNSET
    retry_after_seconds: int | msgspec.UnsetType = msgspec.UNSET
    body_bytes_max: int | msgspec.UnsetType = msgspec.UNSET
    allowed_methods: list[str] | msgspec.UnsetType = msgspec.UNSET
    accepted_encodings: list[str] | msgspec.UnsetType = msgspec.UNSET


def responses_of(operation: AnyOperation, result: Described | None) -> dict[str, Described]:
    """The responses of an operation, by status; `result` is the schema of its successful response."""
    replayed = () if operation.idempotency is Idempotency.NONE else ("Idempotency-Replayed",)
    limited = RATE_LIMIT if is_limited(operation) else ()
    success: Described = {"description": operation.summary, "headers": _headers("Request-Id", *replayed, *limited)}
    if result is not None:
        success["content"] = {operation.result_type: {"schema": result, "example": operation.example_result}}
    responses = {str(status): success for status in (operation.status, *operation.other_statuses)}
    for status, codes in codes_by_status(operation).items():
        listed = ", ".join(f"`{code}`" for code in codes)
        responses[str(status)] = {"$ref": f"#/components/responses/{NAMES[status]}", "description": listed}
    return responses


def shared_responses(problem: Described) -> dict[str, Described]:
    """The responses that operations refer to; `problem` is the reference to the schema of problems."""
    return {
        name: {
            "description": f"A problem of status {status}.",
            "headers": _headers("Request-Id", *RATE_LIMIT, *HEADERS_OF_STATUS.get(status, ())),
            "content": {
                "application/problem+json": {
                    "schema": problem,
                    "example": _example_problem(next(code for code, kind in KINDS.items() if kind.status == status)),
                }
            },
        }
        for status, name in NAMES.items()
    }


def codes_by_status(operation: AnyOperation) -> dict[int, list[str]]:
    """All refusal codes of an operation, by status."""
    by_status: dict[int, list[str]] = {}
    for code in codes_of(operation):
        by_status.setdefault(KINDS[code].status, []).append(code)
    return by_status


def codes_of(operation: AnyOperation) -> list[str]:
    """All refusal codes of an operation: its own, and those that its declaration implies."""
    codes = set(operation.codes)
    if operation.roles:
        codes |= {"token_missing", "token_invalid", "token_expired", "token_revoked", "user_disabled"}
        codes |= {"api_key_invalid", "scope_missing", "not_a_member"}
    if is_limited(operation):
        codes.add("rate_limited")
    if operation.roles not in (ANYONE, EVERY_ROLE) or (operation.roles and operation.row.least is not VIEWER):
        codes.add("role_forbidden")
    if "{" in operation.path:
        codes.add("not_found")  # For an id with a character that no id has, such as a slash.
    if operation.body is not None:
        codes |= {"body_too_large", "unsupported_media_type", "request_timeout"}
    if operation.idempotency is not Idempotency.NONE:
        codes |= {"idempotency_key_reused", "idempotency_in_progress"}
    if operation.idempotency is Idempotency.REQUIRED:
        codes.add("idempotency_key_missing")
    if operation.method != "GET":
        codes.add("rate_limited")  # Too many items, bytes or look-ups of the caller are waiting.
    # Every operation refuses unknown query parameters and repeated headers.
    codes |= {"validation_error", "headers_too_large", "internal_error", "storage_unavailable", "overloaded"}
    return sorted(codes, key=lambda code: (KINDS[code].status, code))


def is_limited(operation: AnyOperation) -> bool:
    """Whether requests are counted for a rate limit."""
    return bool(operation.roles) or operation.limited_by is not None


def _headers(*names: str) -> dict[str, Described]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _example_problem(code: str) -> Described:
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
