"""Refunds: captured money returns, in parts or whole, with its share of the fee or without."""

from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from typing import Final

from gateway.application.commands.refund_payment import RefundPayment
from gateway.domain.account import AccountKind
from gateway.simulation.effect import Effect
from gateway.simulation.model import Model, Refused, Rules
from gateway.simulation.model_records import ModelPayment, Move, customer_key, merchant_key, own_key
from gateway.simulation.rules.exchange import returned_across

REFUNDS_MAX: Final = 100


def refund(model: Model, command: RefundPayment, now: datetime) -> Effect:
    """The merchant refunds a part, out of their balance."""
    payment = model.payment(command.payment_id)
    if payment.merchant != command.merchant_id:
        raise Refused("payment_not_found")
    if payment.captured == 0 or payment.customer is None:
        raise Refused("payment_not_refundable", **payment.state_facts(now))
    promised = None if payment.quote is None else model.quotes[payment.quote]
    if promised is not None and promised.refundable_until is not None and promised.refundable_until <= now:
        raise Refused("payment_not_refundable", **payment.state_facts(now))
    left = payment.captured - payment.refunded
    part = left if command.amount_minor is None else command.amount_minor
    if part > left or left == 0:
        raise Refused("refund_amount_exceeds_remaining", remaining=left)
    if payment.refunds >= REFUNDS_MAX:
        raise Refused("refund_limit_reached")
    with_fee = part if command.refund_fee else 0
    share = _fee_share(payment, with_fee)
    merchant = merchant_key(payment.merchant, payment.currency)
    moves: list[Move] = []
    payee = customer_key(payment.customer, payment.currency)
    if promised is not None:
        moves = returned_across(promised, (payment.refunded, payment.refunded_with_fee), part, with_fee)
        payee = own_key(AccountKind.EXCHANGE, payment.currency)
        for move in moves:
            model.must_not_be_closed(move.credit)
    funds = model.must_pay(merchant).available
    model.must_not_be_closed(payee)
    if funds + share < part:
        raise Refused("merchant_insufficient_funds")
    if share:
        moves.append(Move("post", own_key(AccountKind.FEES, payment.currency), merchant, share))
    moves.append(Move("post", merchant, payee, part))
    return Effect(
        told=("refund", part, share),
        moves=tuple(moves),
        payment=replace(
            payment,
            refunded=payment.refunded + part,
            fee_returned=payment.fee_returned + share,
            refunded_with_fee=payment.refunded_with_fee + with_fee,
            refunds=payment.refunds + 1,
            version=payment.version + 1,
        ),
        transaction="refund",
        events=("payment.refunded", "refund.succeeded"),
    )


def _fee_share(payment: ModelPayment, part: int) -> int:
    """The share of the fee that a refund of `part` returns; nothing of 0."""
    if not part:
        return 0
    # Cumulative, so that the last refund takes the rest of the fee, whatever was rounded before.
    due = round(Fraction(payment.charged * (payment.refunded_with_fee + part), payment.captured))
    # The fee of a dearer capture returns with later refunds, each up to its own amount.
    return max(0, min(part, due - payment.fee_returned))


RULES: Final[Rules] = {RefundPayment: refund}
