"""Every refusal has a code of its own, which never changes."""

from gateway.application import errors as application_errors
from gateway.domain import api_key_errors, customer_errors, exchange_errors, webhook_errors
from gateway.domain import errors as domain_errors
from gateway.domain.errors import FieldError, InsufficientFunds, InvalidInput, Refusal, invalid

CODES = {
    "account_exists",
    "account_frozen",
    "account_not_found",
    "already_reversed",
    "api_key_ended",
    "api_key_invalid",
    "api_key_limit_reached",
    "api_key_not_found",
    "amount_too_large",
    "amount_too_small",
    "balance_overflow",
    "capture_amount_exceeds_authorized",
    "capture_limit_reached",
    "currency_mismatch",
    "customer_joined",
    "customer_not_found",
    "invitation_invalid",
    "external_id_taken",
    "duplicate_reference",
    "email_taken",
    "endpoint_limit_reached",
    "idempotency_in_progress",
    "idempotency_key_reused",
    "insufficient_funds",
    "invalid_credentials",
    "merchant_insufficient_funds",
    "merchant_not_found",
    "overloaded",
    "payment_expired",
    "payment_not_due",
    "payment_not_found",
    "payment_not_refundable",
    "payment_state_invalid",
    "quote_amount_mismatch",
    "quote_expired",
    "quote_not_found",
    "quote_used",
    "rate_limited",
    "rate_change_too_large",
    "rate_not_found",
    "rates_read_only",
    "refund_amount_exceeds_remaining",
    "refund_limit_reached",
    "refund_not_found",
    "role_forbidden",
    "same_account",
    "same_currency",
    "scope_missing",
    "token_expired",
    "token_invalid",
    "token_missing",
    "token_revoked",
    "transaction_not_found",
    "transaction_not_reversible",
    "unknown_currency",
    "use_refund",
    "user_exists",
    "user_not_found",
    "validation_error",
    "webhook_endpoint_disabled",
    "webhook_endpoint_not_found",
}
"""What clients decide on. Additions only: a code that is reworded breaks whoever knows it."""

NOT_STORED = {
    "account_frozen",
    "api_key_invalid",
    "api_key_limit_reached",
    "endpoint_limit_reached",
    "idempotency_in_progress",
    "invalid_credentials",
    "overloaded",
    "payment_not_due",
    "rate_limited",
    "rate_not_found",
    "rates_read_only",
    "role_forbidden",
    "scope_missing",
    "token_expired",
    "token_invalid",
    "token_missing",
    "token_revoked",
    "validation_error",
    "webhook_endpoint_disabled",
}


def every_refusal() -> set[type[Refusal]]:
    return {
        kind
        for module in (
            domain_errors,
            api_key_errors,
            customer_errors,
            exchange_errors,
            webhook_errors,
            application_errors,
        )
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Refusal) and kind is not Refusal
    }


def test_no_two_refusals_share_a_code() -> None:
    codes = [kind.code for kind in every_refusal()]
    assert len(codes) == len(set(codes))


def test_no_code_is_ever_reworded_or_dropped() -> None:
    assert {kind.code for kind in every_refusal()} >= CODES


def test_codes_are_words_in_lower_case() -> None:
    assert all(kind.code.replace("_", "").isalpha() and kind.code.islower() for kind in every_refusal())


def test_a_refusal_that_somebody_else_can_lift_is_not_stored() -> None:
    assert {kind.code for kind in every_refusal() if not kind.stored} & CODES == NOT_STORED


def test_a_refusal_carries_a_sentence_and_facts() -> None:
    refusal = InsufficientFunds("No.", remaining=7)
    assert (str(refusal), refusal.detail, refusal.facts) == ("No.", "No.", {"remaining": 7})


def test_invalid_input_names_its_fields_and_is_a_value_error_of_python() -> None:
    refusal = invalid("amount_minor", "value_invalid", "Too much.")
    assert (refusal.code, refusal.detail, refusal.errors) == (
        "validation_error",
        "Too much.",
        (FieldError(field="amount_minor", code="value_invalid", detail="Too much."),),
    )
    assert isinstance(refusal, ValueError)
    assert application_errors.InvalidInput is InvalidInput


def test_every_refusal_says_what_it_means() -> None:
    assert all(kind.__doc__ for kind in every_refusal())
