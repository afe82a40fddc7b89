"""Refunds: captured money goes back, in parts or whole, with the fee's share or without."""

from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from typing import Final

from gateway.application.commands import RefundPayment
from gateway.domain.account import AccountKind
from gateway.simulation.model import Effect, Model, Move, Refused, Rules, customer_key, merchant_key, own_key
from gateway.simulation.rules.exchange import returned_across

REFUNDS_MAX: Final = 100


def refund(model: Model, command: RefundPayment, now: datetime) -> Effect:
    """The merchant gives a part back, out of what they have."""
    payment = model.payment(command.payment_id)
    if payment.merchant != command.merchant_id:
        raise Refused("payment_not_found")
    if payment.captured == 0 or payment.customer is None:
        raise Refused("payment_not_refundable", **payment.standing(now))
    left = payment.captured - payment.refunded
    part = left if command.amount_minor is None else command.amount_minor
    if part > left or left == 0:
        raise Refused("refund_amount_exceeds_remaining", remaining=left)
    if payment.refunds >= REFUNDS_MAX:
        raise Refused("refund_limit_reached")
    with_fee = payment.refunded_with_fee + (part if command.refund_fee else 0)
    # Cumulative, so that the last refund takes the rest of the fee, whatever was rounded before.
    due = round(Fraction(payment.charged * with_fee, payment.captured)) if command.refund_fee else 0
    # A dearer capture makes up for cheaper ones that went back before: with later refunds, each up to its own amount.
    share = max(0, min(part, due - payment.fee_returned))
    merchant = merchant_key(payment.merchant, payment.currency)
    if model.must_pay(merchant).available + share < part:
        raise Refused("merchant_insufficient_funds")
    moves: list[Move] = []
    payee = customer_key(payment.customer, payment.currency)
    if payment.quote is not None:
        moves = returned_across(model.quotes[payment.quote], payment.refunded, payment.refunded + part)
        payee = own_key(AccountKind.EXCHANGE, payment.currency)
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
            refunded_with_fee=with_fee,
            refunds=payment.refunds + 1,
            version=payment.version + 1,
        ),
        transaction="refund",
        events=("payment.refunded", "refund.succeeded"),
    )


RULES: Final[Rules] = {RefundPayment: refund}
