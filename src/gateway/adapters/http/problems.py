"""The table of refusal codes with their statuses; refusals as problem details (RFC 9457)."""

from typing import Any, Final, NamedTuple

import msgspec

from gateway.adapters.http.field_errors import ERRORS_MAX, FieldErrors, pointed
from gateway.adapters.http.messages import AnyRequest, Header, Response
from gateway.domain.errors import InvalidInput, Refusal

PROBLEM_JSON: Final = b"application/problem+json"


class Kind(NamedTuple):
    """A code in HTTP. `retryable`: the same request, with the same key, may succeed later."""

    status: int
    title: str
    retryable: bool = False


KINDS: Final[dict[str, Kind]] = {
    "validation_error": Kind(400, "The request is not valid"),
    "idempotency_key_missing": Kind(400, "An Idempotency-Key is required"),
    "cursor_invalid": Kind(400, "The cursor is not valid"),
    "cursor_filter_mismatch": Kind(400, "The cursor belongs to other filters"),
    "token_missing": Kind(401, "A bearer token is required"),
    "token_invalid": Kind(401, "The token is not valid"),
    "token_expired": Kind(401, "The token has expired"),
    "token_revoked": Kind(401, "The session has ended"),
    "api_key_invalid": Kind(401, "The API key is not valid"),
    "invalid_credentials": Kind(401, "The credentials are wrong"),
    "second_factor_required": Kind(401, "A code of the second factor is required"),
    "second_factor_invalid": Kind(401, "The code of the second factor is wrong"),
    "insufficient_funds": Kind(402, "Insufficient funds"),
    "merchant_insufficient_funds": Kind(402, "The merchant has insufficient funds"),
    "role_forbidden": Kind(403, "Not allowed for this role"),
    "scope_missing": Kind(403, "The API key lacks the scope"),
    "second_factor_missing": Kind(403, "Operators need a second factor"),
    "not_a_member": Kind(403, "Not a member of the merchant"),
    "account_frozen": Kind(403, "The account is frozen", retryable=True),
    "user_disabled": Kind(403, "The user is disabled", retryable=True),
    "limit_exceeded": Kind(403, "A limit does not allow the payment", retryable=True),
    "not_found": Kind(404, "Not found"),
    "user_not_found": Kind(404, "User not found"),
    "account_not_found": Kind(404, "Account not found"),
    "merchant_not_found": Kind(404, "Merchant not found"),
    "payment_not_found": Kind(404, "Payment not found"),
    "quote_not_found": Kind(404, "Quote not found"),
    "rate_not_found": Kind(404, "There is no rate for these currencies", retryable=True),
    "event_not_found": Kind(404, "Event not found"),
    "refund_not_found": Kind(404, "Refund not found"),
    "transaction_not_found": Kind(404, "Transaction not found"),
    "api_key_not_found": Kind(404, "API key not found"),
    "invitation_invalid": Kind(404, "There is no such invitation"),
    "customer_not_found": Kind(404, "Customer not found"),
    "member_not_found": Kind(404, "Member not found"),
    "invitation_not_found": Kind(404, "Invitation not found"),
    "webhook_endpoint_not_found": Kind(404, "Webhook endpoint not found"),
    "method_not_allowed": Kind(405, "Method not allowed"),
    "request_timeout": Kind(408, "The request took too long to arrive", retryable=True),
    "email_taken": Kind(409, "The e-mail address is taken"),
    "user_exists": Kind(409, "The user exists"),
    "second_factor_exists": Kind(409, "The user has a second factor"),
    "account_exists": Kind(409, "The account exists"),
    "account_closed": Kind(409, "The account is closed"),
    "account_not_empty": Kind(409, "The account is not empty"),
    "customer_joined": Kind(409, "The customer is a user of their own"),
    "external_id_taken": Kind(409, "The external id is taken"),
    "duplicate_reference": Kind(409, "The reference is taken"),
    "payment_state_invalid": Kind(409, "The payment does not allow this now"),
    "payment_expired": Kind(409, "The payment has expired"),
    "payment_not_due": Kind(409, "The payment's time is not over", retryable=True),
    "payment_not_refundable": Kind(409, "The payment cannot be refunded"),
    "capture_limit_reached": Kind(409, "The payment has all the captures it may have"),
    "refund_limit_reached": Kind(409, "The payment has all the refunds it may have"),
    "quote_expired": Kind(409, "The quote has expired"),
    "quote_used": Kind(409, "The quote was used before"),
    "rate_change_too_large": Kind(409, "The rate changes by more than may be unconfirmed"),
    "rates_read_only": Kind(409, "Rates are set elsewhere"),
    "already_reversed": Kind(409, "The transaction was reversed before"),
    "use_refund": Kind(409, "Payments are refunded, not reversed"),
    "transaction_not_reversible": Kind(409, "The transaction cannot be reversed"),
    "api_key_ended": Kind(409, "The API key has ended"),
    "api_key_limit_reached": Kind(409, "The owner has all the API keys that one may have", retryable=True),
    "member_exists": Kind(409, "The merchant has a member or an invitation with this address"),
    "member_limit_reached": Kind(409, "The merchant has all the members that one may have", retryable=True),
    "last_owner": Kind(409, "There is always an owner"),
    "endpoint_limit_reached": Kind(409, "The owner has all the webhook endpoints that one may have", retryable=True),
    "replay_limit_reached": Kind(409, "The webhook endpoint has all the replays that may be under way", retryable=True),
    "webhook_endpoint_disabled": Kind(409, "The webhook endpoint is disabled", retryable=True),
    "idempotency_in_progress": Kind(409, "The first request with this key is still running", retryable=True),
    "body_too_large": Kind(413, "The body is too large"),
    "unsupported_media_type": Kind(415, "Unsupported media type"),
    "headers_too_large": Kind(431, "The headers are too large"),
    "idempotency_key_reused": Kind(422, "The key belongs to another request"),
    "currency_mismatch": Kind(422, "Currencies do not match"),
    "unknown_currency": Kind(422, "Unknown currency"),
    "same_account": Kind(422, "Payer and payee are the same"),
    "same_currency": Kind(422, "Both currencies are the same"),
    "amount_too_small": Kind(422, "The other amount would be less than a minor unit"),
    "amount_too_large": Kind(422, "The other amount would be larger than one may be"),
    "quote_amount_mismatch": Kind(422, "The quote is for another amount"),
    "capture_amount_exceeds_authorized": Kind(422, "More than is left to capture"),
    "refund_amount_exceeds_remaining": Kind(422, "More than is left to refund"),
    "batch_aborted": Kind(422, "Nothing of the batch was done"),
    "balance_overflow": Kind(422, "The balance cannot grow any further"),
    "rate_limited": Kind(429, "Too many requests", retryable=True),
    "internal_error": Kind(500, "Internal error", retryable=True),
    "overloaded": Kind(503, "Overloaded", retryable=True),
    "storage_unavailable": Kind(503, "Storage unavailable", retryable=True),
}

RETRY_AFTER_SECONDS: Final = {"idempotency_in_progress": 1, "overloaded": 1, "storage_unavailable": 1}

WITHOUT_TOKEN: Final = frozenset(
    {"token_missing", "invalid_credentials", "second_factor_required", "second_factor_invalid"}
)
"""The codes of 401 that are not about a token."""

_encoder = msgspec.json.Encoder()


class HttpRefusal(Refusal):
    """A refusal by the HTTP adapter: for a path, a header, or a malformed body."""

    stored = False

    def __init__(self, code: str, detail: str, **facts: Any) -> None:
        super().__init__(detail, **facts)
        self.code = code  # type: ignore[misc,assignment]  # one class for many codes: nobody catches them by class.


def invalid_request(errors: FieldErrors, detail: str = "The request does not have the right form.") -> HttpRefusal:
    """The refusal of a request that does not have the declared form. At most `ERRORS_MAX` errors are listed."""
    return HttpRefusal("validation_error", detail, errors=errors[:ERRORS_MAX])


def problem_body(refusal: Refusal, request: AnyRequest) -> bytes:
    """A problem in JSON: the members of RFC 9457, our own, and the facts of the refusal."""
    facts = refusal.facts
    if isinstance(refusal, InvalidInput) and refusal.errors:
        facts = {**facts, "errors": pointed(refusal, request.body)}
    return problem_document(refusal, request.path, request.request_id, facts)


def problem_document(refusal: Refusal, path: str, request_id: str, facts: dict[str, Any]) -> bytes:
    """The members of a problem in JSON. `path` is empty if it is not known."""
    kind = KINDS[refusal.code]
    return _encoder.encode(
        {
            "type": f"urn:gateway:problem:{refusal.code}",
            "title": kind.title,
            "status": kind.status,
            "detail": refusal.detail,
            "instance": path,
            "code": refusal.code,
            "request_id": request_id,
            "retryable": kind.retryable,
            **facts,
        }
    )


def problem_response(refusal: Refusal, request: AnyRequest) -> Response:
    """A refusal as a response."""
    return Response(
        status=KINDS[refusal.code].status,
        body=problem_body(refusal, request),
        content_type=PROBLEM_JSON,
        headers=problem_headers(refusal.code, refusal.facts),
    )


def problem_headers(code: str, facts: dict[str, Any]) -> list[Header]:
    """The headers of a problem, beside its content type."""
    status = KINDS[code].status
    if status == 401:  # noqa: PLR2004 - a status is its own name.
        error = "" if code in WITHOUT_TOKEN else ', error="invalid_token"'
        return [(b"www-authenticate", f'Bearer realm="gateway"{error}'.encode())]
    if code == "method_not_allowed":
        return [(b"allow", ", ".join(facts["allowed_methods"]).encode())]
    if "accepted_encodings" in facts:
        return [(b"accept-encoding", ", ".join(facts["accepted_encodings"]).encode())]
    seconds = facts.get("retry_after_seconds", RETRY_AFTER_SECONDS.get(code))
    return [] if seconds is None else [(b"retry-after", str(seconds).encode())]
