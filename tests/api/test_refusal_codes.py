"""The table of refusal codes: complete, and true to the contract."""

from collections.abc import Iterator
from http import HTTPStatus

import gateway.application.errors
import gateway.domain.api_key_errors
import gateway.domain.errors
import gateway.domain.exchange_errors
import gateway.domain.member_errors
import gateway.domain.risk
import gateway.domain.webhook_errors
from gateway.adapters.http.problems import KINDS, HttpRefusal
from gateway.domain.errors import Refusal
from support.api_client import Person, World, refused

CONTRACT = {
    400: ("validation_error", "idempotency_key_missing", "cursor_invalid", "cursor_filter_mismatch"),
    401: (
        "token_missing",
        "token_invalid",
        "token_expired",
        "token_revoked",
        "invalid_credentials",
        "api_key_invalid",
        "second_factor_required",
        "second_factor_invalid",
    ),
    402: ("insufficient_funds", "merchant_insufficient_funds"),
    403: (
        "role_forbidden",
        "scope_missing",
        "not_a_member",
        "account_frozen",
        "user_disabled",
        "limit_exceeded",
        "second_factor_missing",
    ),
    404: (
        "not_found",
        "user_not_found",
        "account_not_found",
        "merchant_not_found",
        "payment_not_found",
        "quote_not_found",
        "rate_not_found",
        "event_not_found",
        "refund_not_found",
        "transaction_not_found",
        "api_key_not_found",
        "customer_not_found",
        "invitation_invalid",
        "member_not_found",
        "invitation_not_found",
        "webhook_endpoint_not_found",
    ),
    405: ("method_not_allowed",),
    408: ("request_timeout",),
    409: (
        "email_taken",
        "user_exists",
        "account_closed",
        "account_exists",
        "second_factor_exists",
        "account_not_empty",
        "duplicate_reference",
        "external_id_taken",
        "customer_joined",
        "payment_state_invalid",
        "payment_expired",
        "payment_not_due",
        "payment_not_refundable",
        "capture_limit_reached",
        "refund_limit_reached",
        "quote_expired",
        "quote_used",
        "rate_change_too_large",
        "rates_read_only",
        "already_reversed",
        "use_refund",
        "transaction_not_reversible",
        "api_key_ended",
        "api_key_limit_reached",
        "member_exists",
        "member_limit_reached",
        "last_owner",
        "endpoint_limit_reached",
        "replay_limit_reached",
        "webhook_endpoint_disabled",
        "idempotency_in_progress",
    ),
    413: ("body_too_large",),
    415: ("unsupported_media_type",),
    422: (
        "idempotency_key_reused",
        "currency_mismatch",
        "unknown_currency",
        "same_account",
        "same_currency",
        "amount_too_small",
        "amount_too_large",
        "quote_amount_mismatch",
        "capture_amount_exceeds_authorized",
        "refund_amount_exceeds_remaining",
        "batch_aborted",
        "balance_overflow",
    ),
    429: ("rate_limited",),
    431: ("headers_too_large",),
    500: ("internal_error",),
    503: ("overloaded", "storage_unavailable"),
}
"""The status of each code, which never changes."""

RETRYABLE = {
    "account_frozen",
    "api_key_limit_reached",
    "endpoint_limit_reached",
    "idempotency_in_progress",
    "internal_error",
    "limit_exceeded",
    "member_limit_reached",
    "overloaded",
    "payment_not_due",
    "rate_limited",
    "rate_not_found",
    "replay_limit_reached",
    "request_timeout",
    "storage_unavailable",
    "user_disabled",
    "webhook_endpoint_disabled",
}


def every_refusal(root: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for kind in root.__subclasses__():
        yield kind
        yield from every_refusal(kind)


def test_every_promised_code_has_its_status_and_there_is_no_other() -> None:
    promised = {code: status for status, codes in CONTRACT.items() for code in codes}
    assert {code: kind.status for code, kind in KINDS.items()} == promised


def test_every_refusal_is_in_the_table() -> None:
    for module in (
        gateway.domain.errors,
        gateway.domain.api_key_errors,
        gateway.domain.exchange_errors,
        gateway.domain.member_errors,
        gateway.domain.risk,
        gateway.domain.webhook_errors,
        gateway.application.errors,
    ):
        assert any(kind.__module__ == module.__name__ for kind in every_refusal())
    codes = [kind.code for kind in every_refusal() if kind is not HttpRefusal and kind.__module__.startswith("gateway")]
    assert set(codes) <= KINDS.keys()
    assert len(codes) == len(set(codes))


def test_what_may_be_sent_again_says_so() -> None:
    assert {code for code, kind in KINDS.items() if kind.retryable} == RETRYABLE
    stored = {kind.code for kind in every_refusal() if kind is not HttpRefusal and kind.stored}
    assert not stored & RETRYABLE


def test_what_may_not_be_sent_again_is_stored() -> None:
    decided = [kind for kind in every_refusal() if kind is not HttpRefusal and kind.__module__.startswith("gateway")]
    final = {kind.code for kind in decided if KINDS[kind.code].status in {402, 404, 409, 422}} - RETRYABLE
    stored = {kind.code for kind in decided if kind.stored}
    # Whether rates can be changed is a matter of the installation. The requests take no key.
    assert final - stored == {"rates_read_only", "second_factor_exists"}


def test_every_status_is_one_of_http_and_every_title_is_said_once() -> None:
    for kind in KINDS.values():
        HTTPStatus(kind.status)
    assert len({kind.title for kind in KINDS.values()}) == len(KINDS)


async def test_every_way_to_be_refused_for_a_token_says_how_to_authenticate(world: World, customer: Person) -> None:
    missing = await world.anyone.get("/users/me")
    refused(missing, 401, "token_missing")
    assert missing.headers["www-authenticate"] == 'Bearer realm="gateway"'
    invalid = await world.anyone.with_token("nonsense").get("/users/me")
    refused(invalid, 401, "token_invalid")
    assert invalid.headers["www-authenticate"] == 'Bearer realm="gateway", error="invalid_token"'
    login = {"email": customer.email, "password": "wrong horse"}
    wrong = await world.anyone.post("/users/login", login)
    assert wrong.headers["www-authenticate"] == 'Bearer realm="gateway"'
