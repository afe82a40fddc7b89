"""What answers tell, in the words of the model."""

from typing import Any

from gateway.application.commands import Registered
from gateway.application.paying import Paid
from gateway.domain.account import Account, AccountStatus
from gateway.domain.deposit import Deposit
from gateway.domain.errors import Refusal
from gateway.domain.payment import Payment, PaymentId
from gateway.domain.payout import Payout
from gateway.domain.refund import Refund
from gateway.domain.transaction import Transaction


def told(outcome: Any) -> tuple[object, ...]:
    """What an outcome tells; the rules must come to the same."""
    facts: tuple[object, ...] = ()
    match outcome:
        case Paid():
            facts = told_of_payment(outcome.payment)
        case Payment():
            facts = told_of_payment(outcome)
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
        case Account():
            facts = ("account", outcome.status is AccountStatus.FROZEN, *outcome.fees, outcome.version)
        case _:
            pass
    return facts


def told_of_payment(payment: Payment) -> tuple[object, ...]:
    """What a payment tells of itself."""
    return (
        payment.status.value,
        payment.amount.amount_minor,
        payment.amount.currency,
        payment.customer_id,
        payment.merchant_id,
        payment.amount_captured_minor,
        payment.amount_refunded_minor,
        payment.fee_amount_minor,
        payment.fee_refunded_minor,
        payment.captures,
        payment.refunds,
        payment.expires_at,
        payment.version,
    )


def payment_id_of(outcome: Any) -> PaymentId | None:
    """The payment that an outcome made, or is about."""
    match outcome:
        case Paid():
            return outcome.payment.id
        case Payment():
            return outcome.id
        case Refusal():
            return outcome.facts.get("payment_id")
        case _:
            return None
