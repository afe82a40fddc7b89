"""Answers of the gateway, as records of the model."""

from typing import Any

from gateway.application.commands.register import Registered
from gateway.application.commands.shared.payments import PaymentResult
from gateway.domain.account import Account, AccountStatus
from gateway.domain.deposit import Deposit
from gateway.domain.errors import Refusal
from gateway.domain.payment import CaptureMethod, Payment, PaymentId, QuoteId
from gateway.domain.payout import Payout
from gateway.domain.quote import Quote
from gateway.domain.refund import Refund
from gateway.domain.transaction import Transaction
from gateway.simulation.model_records import ModelAccount, ModelPayment, ModelQuote


def told(outcome: Any) -> object:
    """The facts in an outcome, which the rules must produce too."""
    facts: object = None
    match outcome:
        case PaymentResult():
            facts = model_payment(outcome.payment)
        case Payment():
            facts = model_payment(outcome)
        case Account():
            facts = model_account(outcome)
        case Quote():
            facts = model_quote(outcome)
        case Refund():
            facts = ("refund", outcome.amount.amount_minor, outcome.fee_refunded_minor)
        case Deposit():
            facts = ("deposit", outcome.amount.amount_minor)
        case Payout():
            facts = ("payout", outcome.amount.amount_minor)
        case Transaction():
            facts = (outcome.type.value, outcome.amount_minor)
        case Registered():
            facts = ("registered", len(outcome.accounts))
        case _:
            pass
    return facts


def model_account(account: Account) -> ModelAccount:
    """An account as a record of the model."""
    return ModelAccount(
        posted=account.posted,
        held=account.held,
        incoming=account.incoming,
        frozen=account.status is AccountStatus.FROZEN,
        basis_points=account.fees.basis_points,
        fixed_minor=account.fees.fixed_minor,
        version=account.version,
    )


def model_payment(payment: Payment) -> ModelPayment:
    """A payment as a record of the model."""
    return ModelPayment(
        id=payment.id,
        status=payment.status.value,
        amount=payment.amount.amount_minor,
        currency=payment.amount.currency,
        manual=payment.capture is CaptureMethod.MANUAL,
        customer=payment.customer_id,
        merchant=payment.merchant_id,
        reference=payment.reference,
        expires_at=payment.expires_at,
        captured=payment.amount_captured_minor,
        refunded=payment.amount_refunded_minor,
        charged=payment.fee_amount_minor + payment.fee_refunded_minor,
        fee_returned=payment.fee_refunded_minor,
        refunded_with_fee=payment.amount_refunded_with_fee_minor,
        captures=payment.captures,
        refunds=payment.refunds,
        version=payment.version,
        quote=payment.quote_id,
        failure=payment.failure_code,
    )


def model_quote(quote: Quote) -> ModelQuote:
    """A quote as a record of the model."""
    return ModelQuote(
        id=quote.id,
        customer=quote.customer_id,
        source=quote.source.amount_minor,
        source_currency=quote.source.currency,
        target=quote.target.amount_minor,
        target_currency=quote.target.currency,
        spread=quote.spread_minor,
        expires_at=quote.expires_at,
        payment=quote.payment_id,
    )


def quote_id_of(outcome: Any) -> QuoteId | None:
    """The quote that an outcome made."""
    return outcome.id if isinstance(outcome, Quote) else None


def payment_id_of(outcome: Any) -> PaymentId | None:
    """The payment that an outcome made, or is about."""
    match outcome:
        case PaymentResult():
            return outcome.payment.id
        case Payment():
            return outcome.id
        case Refusal():
            return outcome.facts.get("payment_id")
        case _:
            return None
