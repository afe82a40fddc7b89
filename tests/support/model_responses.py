"""HTTP responses that an effect of the simulation's model implies: the status, the code and the fields of a body."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from gateway.simulation.effect import Effect
from gateway.simulation.model_records import ModelAccount, ModelPayment, ModelQuote

Json = dict[str, Any]

STATUS_OF: Final = {
    "validation_error": 400,
    "insufficient_funds": 402,
    "merchant_insufficient_funds": 402,
    "role_forbidden": 403,
    "account_frozen": 403,
    "account_not_found": 404,
    "merchant_not_found": 404,
    "payment_not_found": 404,
    "quote_not_found": 404,
    "user_not_found": 404,
    "already_reversed": 409,
    "duplicate_reference": 409,
    "payment_expired": 409,
    "payment_not_refundable": 409,
    "payment_state_invalid": 409,
    "quote_expired": 409,
    "quote_used": 409,
    "transaction_not_reversible": 409,
    "use_refund": 409,
    "amount_too_small": 422,
    "batch_aborted": 422,
    "capture_amount_exceeds_authorized": 422,
    "currency_mismatch": 422,
    "quote_amount_mismatch": 422,
    "refund_amount_exceeds_remaining": 422,
    "same_account": 422,
}


def check(effect: Effect, success: int, status: int, body: Json) -> None:
    """Assert that a response is the success or the refusal of an effect. A refusal tells its facts."""
    if effect.refusal:
        assert (status, body.get("code")) == (STATUS_OF[effect.refusal], effect.refusal), body
        assert like(body, effect.facts) == effect.facts
    else:
        assert status == success, body


def check_fields(effect: Effect, body: Json, now: datetime) -> None:
    """Assert that the body of a success tells what an effect, whose ids are known, must tell at a time."""
    expected = _fields(effect, now)
    assert like(with_times(body), expected) == expected


def _fields(effect: Effect, now: datetime) -> Json:
    match effect:
        case Effect(told=ModelAccount() as account):
            return account_fields(account)
        case Effect(told=("refund", amount, fee)):
            return {"amount": amount, "fee_refunded": fee}
        case Effect(told=("reversal", amount)):
            return {"amount": amount, "reverses": effect.reverses}
        case Effect(told=(_, amount)):
            return {"amount": amount}
        case Effect(payment=ModelPayment() as payment):
            return payment_fields(payment, now)
        case Effect(quote=ModelQuote() as quote):
            return quote_fields(quote)
        case _:
            raise AssertionError(effect)


def account_fields(account: ModelAccount) -> Json:
    """The fields of an account as the API shows them."""
    return {
        "balance": {
            "posted": account.posted,
            "held": account.held,
            "available": account.available,
            "incoming": account.incoming,
        },
        "status": "frozen" if account.frozen else "open",
        "version": account.version,
    }


def payment_fields(payment: ModelPayment, now: datetime) -> Json:
    """The fields of a payment as the API shows them at a time."""
    status = payment.status_at(now)
    fee = payment.charged - payment.fee_returned
    return {
        "status": status,
        "amount": payment.amount,
        "amount_capturable": payment.held if status == payment.status else 0,
        "amount_captured": payment.captured,
        "amount_refunded": payment.refunded,
        "fee_amount": fee,
        "net_amount": payment.captured - payment.refunded - fee,
        "capture": "manual" if payment.manual else "automatic",
        "customer_id": payment.customer,
        "merchant_id": payment.merchant,
        "reference": payment.reference,
        "expires_at": payment.expires_at,
        "failure_code": payment.failure,
        "quote_id": payment.quote,
        "version": payment.version,
        "allowed_actions": payment.actions_at(now),
    }


def quote_fields(quote: ModelQuote) -> Json:
    """The fields of a quote as the API shows them; its rate is the caller's."""
    return {
        "from_currency": quote.source_currency,
        "to_currency": quote.target_currency,
        "source_amount": quote.source,
        "target_amount": quote.target,
        "spread": quote.spread,
        "expires_at": quote.expires_at,
        "payment_id": quote.payment,
    }


def with_times(body: Json) -> Json:
    """A body whose `expires_at` is a time, not its text."""
    expires_at = body.get("expires_at")
    return body if expires_at is None else body | {"expires_at": datetime.fromisoformat(expires_at)}


def like(body: Mapping[str, Any], expected: Mapping[str, Any]) -> Json:
    """The part of a body that `expected` has."""
    return {
        name: like(body[name], value) if isinstance(value, dict) else body.get(name) for name, value in expected.items()
    }
