"""Refunds by merchants."""

from typing import Final

from gateway.application.commands.refund_payment import RefundPayment
from gateway.simulation.model_records import ModelPayment
from gateway.simulation.operations.payments import merchant_of
from gateway.simulation.world import NO_PAYMENT, NOBODY, World


def refund(world: World) -> RefundPayment:
    """A merchant refunds: all, a part, what is left, or one minor unit too much."""
    return refunding(world, world.payment("captured", "partially_captured"))


def refunding(world: World, payment: ModelPayment | None) -> RefundPayment:
    """This payment is refunded."""
    if payment is None:
        return RefundPayment(payment_id=NO_PAYMENT, merchant_id=NOBODY)
    return RefundPayment(
        payment_id=payment.id,
        merchant_id=merchant_of(world, payment),
        amount_minor=None if world.chance(20) else world.amount(payment.captured - payment.refunded),
        refund_fee=world.chance(60),
    )


OPERATIONS: Final = ((14, refund),)
