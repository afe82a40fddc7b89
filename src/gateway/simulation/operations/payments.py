"""Customers pay and confirm; merchants request, capture and cancel; payments expire."""

from typing import Final, NamedTuple

from gateway.application.commands.cancel_payment import CancelPayment
from gateway.application.commands.capture_payment import CapturePayment
from gateway.application.commands.confirm_payment import ConfirmPayment
from gateway.application.commands.expire_payment import ExpirePayment
from gateway.application.commands.pay import Pay
from gateway.application.commands.request_payment import RequestPayment
from gateway.application.commands.review_payment import ApprovePayment, DeclinePayment
from gateway.domain.account import AccountKey
from gateway.domain.money import CurrencyCode, Money
from gateway.domain.payment import CaptureMethod
from gateway.domain.payment_terms import PaymentOrder, PaymentRequest
from gateway.domain.user import UserId
from gateway.simulation.model_records import ModelPayment
from gateway.simulation.world import CURRENCIES, NO_PAYMENT, NOBODY, World

EXPIRES_IN_SECONDS: Final = (None, None, 60, 3_600, 86_400)


class CaptureTerms(NamedTuple):
    """The capture method of an order, and the lifetime of its hold."""

    capture: CaptureMethod
    expires_in_seconds: int | None


CAPTURE_TERMS: Final = tuple(
    # A payment at once has no time.
    CaptureTerms(capture, seconds if capture is CaptureMethod.MANUAL else None)
    for capture in CaptureMethod
    for seconds in EXPIRES_IN_SECONDS
)


def pay(world: World) -> Pay:
    """A customer pays, at once or with a hold."""
    payer = world.one_of(world.payers)
    currency = world.one_of(CURRENCIES) if world.chance(2) else payer.currency
    terms = world.one_of(CAPTURE_TERMS)
    return Pay(
        order=PaymentOrder(
            customer_id=payer.owner_id,
            merchant_id=payer.owner_id if world.chance(1) else _payee(world, payer, currency),
            amount=Money(_price(world, payer), currency),
            reference=_reference(world),
            metadata={},
            capture=terms.capture,
            expires_in_seconds=terms.expires_in_seconds,
        )
    )


def _payee(world: World, payer: AccountKey, currency: CurrencyCode) -> UserId:
    """Any merchant; mostly the one who manages the payer, if there is one."""
    managed = world.model.customers.get(payer.owner_id)
    return world.merchant(currency) if managed is None or world.chance(20) else managed.merchant


def request(world: World) -> RequestPayment:
    """A merchant requests a payment from a customer, or from any customer."""
    payer = world.one_of(world.payers)
    customer = world.one_of((payer.owner_id, payer.owner_id, None, NOBODY if world.chance(10) else payer.owner_id))
    return RequestPayment(
        request=PaymentRequest(
            customer_id=customer,
            merchant_id=world.merchant(payer.currency),
            amount=Money(_price(world, payer), payer.currency),
            reference=_reference(world),
            metadata={},
            capture=world.one_of(tuple(CaptureMethod)),
            expires_in_seconds=world.one_of(EXPIRES_IN_SECONDS),
        )
    )


def confirm(world: World) -> ConfirmPayment:
    """A customer confirms a request: mostly the one it names."""
    return confirming(world, world.payment("requires_confirmation"))


def confirming(world: World, payment: ModelPayment | None) -> ConfirmPayment:
    """This payment is confirmed."""
    if payment is None:
        return ConfirmPayment(payment_id=NO_PAYMENT, customer_id=NOBODY)
    customer = payment.customer
    if customer is None or world.chance(2):
        customer = world.one_of(world.customers)
    return ConfirmPayment(payment_id=payment.id, customer_id=customer)


def capture(world: World) -> CapturePayment:
    """A merchant captures: all, a part, what is left, or one minor unit too much."""
    return capturing(world, world.payment("authorized", "partially_captured"))


def capturing(world: World, payment: ModelPayment | None) -> CapturePayment:
    """This payment is captured."""
    if payment is None:
        return CapturePayment(payment_id=NO_PAYMENT, merchant_id=NOBODY)
    return CapturePayment(
        payment_id=payment.id,
        merchant_id=merchant_of(world, payment),
        amount_minor=None if world.chance(20) else world.amount(payment.amount - payment.captured),
        final=world.chance(40),
    )


def approve(world: World) -> ApprovePayment:
    """An operator approves a payment. No rule has sent it to a review."""
    payment = world.payment()
    return ApprovePayment(payment_id=NO_PAYMENT if payment is None else payment.id, reason="They were called")


def decline(world: World) -> DeclinePayment:
    """An operator declines a payment. No rule has sent it to a review."""
    payment = world.payment()
    return DeclinePayment(payment_id=NO_PAYMENT if payment is None else payment.id, reason="They know of none")


def cancel(world: World) -> CancelPayment:
    """A party cancels: mostly the merchant, who may."""
    return canceling(world, world.payment())


def canceling(world: World, payment: ModelPayment | None) -> CancelPayment:
    """This payment is canceled."""
    if payment is None:
        return CancelPayment(payment_id=NO_PAYMENT, by=NOBODY)
    by_customer = payment.customer is not None and world.chance(20)
    by = payment.customer if by_customer else merchant_of(world, payment)
    return CancelPayment(payment_id=payment.id, by=by or NOBODY)


def expire(world: World) -> ExpirePayment:
    """A user expires a payment."""
    return expiring(world, world.payment())


def expiring(world: World, payment: ModelPayment | None) -> ExpirePayment:  # noqa: ARG001 - asked as its neighbours.
    """This payment is expired."""
    return ExpirePayment(payment_id=NO_PAYMENT if payment is None else payment.id)


def merchant_of(world: World, payment: ModelPayment) -> UserId:
    """The merchant of a payment, or seldom another one."""
    return world.one_of(world.merchants) if world.chance(2) else payment.merchant


def _price(world: World, payer: AccountKey) -> int:
    return world.amount(world.model.accounts[payer].available)


def _reference(world: World) -> str | None:
    # Out of fewer than there are payments, for each customer has names of their own: many are free, and some are taken.
    return f"order-{world.random.randrange(len(world.payments) // 4 + 1)}" if world.chance(25) else None


OPERATIONS: Final = (
    (28, pay),
    (8, request),
    (8, confirm),
    (12, capture),
    (4, cancel),
    (2, expire),
    (1, approve),
    (1, decline),
)
