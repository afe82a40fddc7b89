"""Payments: from the order or the request to their end, with holds and fees."""

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from gateway.application.commands.cancel_payment import CancelPayment
from gateway.application.commands.capture_payment import CapturePayment
from gateway.application.commands.confirm_payment import ConfirmPayment
from gateway.application.commands.expire_payment import ExpirePayment
from gateway.application.commands.pay import Pay
from gateway.application.commands.request_payment import RequestPayment
from gateway.application.commands.review_payment import ApprovePayment, DeclinePayment
from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.payment import QuoteId
from gateway.domain.payment_terms import PaymentTerms
from gateway.domain.user import UserId
from gateway.simulation.effect import Effect
from gateway.simulation.model import Model, Refused, Rules
from gateway.simulation.model_records import (
    ENDS_AS,
    ModelAccount,
    ModelPayment,
    ModelQuote,
    Move,
    customer_key,
    merchant_key,
    own_key,
)
from gateway.simulation.rules.exchange import good_quote, paid_across

WEEK_SECONDS: Final = 604_800
CAPTURES_MAX: Final = 50


def pay(model: Model, command: Pay, now: datetime) -> Effect:
    """A customer pays a merchant: at once, or with a hold."""
    order = command.order
    if order.customer_id == order.merchant_id:
        raise Refused("same_account")
    model.payee(order.merchant_id, order.amount.currency)
    payment = _first(order, order.customer_id, "", named_by=order.customer_id)
    promised = _promised(model, command.order.quote_id, payment, order.customer_id, now)
    model.payer(order.customer_id, promised.source_currency if promised else order.amount.currency)
    model.must_not_be_managed_by_others(order.customer_id, order.merchant_id)
    _must_be_free(model, payment)
    if not _covered(model, payment, promised):
        # A customer who could not pay has not used the quote, and may try again with it.
        failed = replace(payment, status="failed", failure="insufficient_funds")
        return Effect(refusal="insufficient_funds", payment=failed, events=("payment.failed",))
    return _paid(model, replace(payment, expires_at=_end(order, now) if payment.manual else None), promised)


def request(model: Model, command: RequestPayment, now: datetime) -> Effect:
    """A merchant requests a payment."""
    asked = command.request
    if asked.customer_id == asked.merchant_id:
        raise Refused("same_account")
    model.must_receive(model.payee(asked.merchant_id, asked.amount.currency))
    if asked.customer_id is not None:
        has_account = customer_key(asked.customer_id, asked.amount.currency) in model.accounts
        if not has_account and (asked.customer_id, AccountKind.CUSTOMER) not in model.holders:
            raise Refused("user_not_found")
        model.must_not_be_managed_by_others(asked.customer_id, asked.merchant_id)
    payment = _first(asked, asked.customer_id, "requires_confirmation", named_by=asked.merchant_id)
    _must_be_free(model, payment)
    return Effect(payment=replace(payment, expires_at=_end(asked, now)), events=("payment.created",))


def confirm(model: Model, command: ConfirmPayment, now: datetime) -> Effect:
    """A customer confirms a request: the one it names, or any if it names none."""
    payment = model.payment(command.payment_id)
    if payment.customer not in {None, command.customer_id}:
        raise Refused("payment_not_found")
    must_stand(payment, now, "requires_confirmation")
    if command.customer_id == payment.merchant:
        raise Refused("same_account")
    promised = _promised(model, command.quote_id, payment, command.customer_id, now)
    model.payer(command.customer_id, promised.source_currency if promised else payment.currency)
    model.must_not_be_managed_by_others(command.customer_id, payment.merchant)
    payer = replace(payment, customer=command.customer_id, failure=None, version=payment.version + 1)
    if not _covered(model, payer, promised):
        # Nobody is bound by a try, and the request stays: another try may succeed.
        tried = replace(payment, failure="insufficient_funds", version=payment.version + 1)
        return Effect(refusal="insufficient_funds", payment=tried, events=("payment.confirmation_failed",))
    return _paid(model, payer, promised)


def capture(model: Model, command: CapturePayment, now: datetime) -> Effect:
    """The merchant captures the hold, or a part. The final capture releases the rest."""
    payment = model.payment(command.payment_id)
    if payment.merchant != command.merchant_id:
        raise Refused("payment_not_found")
    must_stand(payment, now, "authorized", "partially_captured")
    left = payment.amount - payment.captured
    part = left if command.amount_minor is None else command.amount_minor
    if part > left:
        raise Refused("capture_amount_exceeds_authorized", remaining=left)
    if payment.captures >= CAPTURES_MAX:
        raise Refused("capture_limit_reached")
    customer, merchant = _parties(payment)
    if model.accounts[customer].frozen:
        raise Refused("account_frozen")
    captured, rest = payment.captured + part, left - part
    ends = command.final or rest == 0
    # However it is split, what is charged adds up to the fee on the whole.
    fee = max(0, min(part, fee_on(model.accounts[merchant], captured) - payment.charged))
    moves = [Move("post_held", customer, merchant, part)]
    if ends and rest:
        moves.append(Move("release", customer, merchant, rest))
    if fee:
        moves.append(Move("post", merchant, own_key(AccountKind.FEES, payment.currency), fee))
    status = "captured" if ends else "partially_captured"
    return Effect(
        moves=tuple(moves),
        payment=replace(
            payment,
            status=status,
            captured=captured,
            charged=payment.charged + fee,
            captures=payment.captures + 1,
            version=payment.version + 1,
        ),
        transaction="capture",
        events=(f"payment.{status}",),
    )


def cancel(model: Model, command: CancelPayment, now: datetime) -> Effect:
    """The merchant cancels a payment; before it is confirmed, the customer may too."""
    payment = model.payment(command.payment_id)
    if command.by not in {payment.merchant, payment.customer}:
        raise Refused("payment_not_found")
    must_stand(payment, now, *ENDS_AS)
    if command.by != payment.merchant and payment.status != "requires_confirmation":
        raise Refused("role_forbidden")
    return _ended(payment, "captured" if payment.captured else "canceled")


def expire(model: Model, command: ExpirePayment, now: datetime) -> Effect:
    """A payment expires, once."""
    payment = model.payment(command.payment_id)
    if payment.status not in ENDS_AS:
        return Effect(told=payment)
    if payment.status_at(now) == payment.status:
        raise Refused("payment_not_due")
    return _ended(payment, ENDS_AS[payment.status])


def review(model: Model, command: ApprovePayment | DeclinePayment, now: datetime) -> Effect:
    """No payment waits for a review: the simulated gateway has no rules of risk."""
    payment = model.payment(command.payment_id)
    must_stand(payment, now)
    return Effect(told=payment)


def must_stand(payment: ModelPayment, now: datetime, *statuses: str) -> None:
    """Refuse an action that the status of a payment does not allow."""
    status = payment.status_at(now)
    if status not in statuses:
        code = "payment_expired" if status == "expired" else "payment_state_invalid"
        raise Refused(code, **payment.state_facts(now))


def fee_on(merchant: ModelAccount, amount: int) -> int:
    """The fee on an amount: rounded half to even, and at most the amount."""
    return min(amount, round(Fraction(amount * merchant.basis_points, 10_000)) + merchant.fixed_minor)


def _promised(
    model: Model, quote_id: QuoteId | None, payment: ModelPayment, customer: UserId, now: datetime
) -> ModelQuote | None:
    if quote_id is None:
        return None
    return good_quote(model, quote_id, customer, payment.amount, payment.currency, now, manual=payment.manual)


def _covered(model: Model, payment: ModelPayment, promised: ModelQuote | None) -> bool:
    """Whether the customer has the funds."""
    customer, merchant = _parties(payment)
    if promised is None:
        available = model.must_pay(customer).available
        model.must_receive(merchant)
        return available >= payment.amount
    model.must_receive(merchant)
    customer = customer_key(promised.customer, promised.source_currency)
    return model.must_pay(customer).available >= promised.source


def _paid(model: Model, payment: ModelPayment, promised: ModelQuote | None) -> Effect:
    customer, merchant = _parties(payment)
    if payment.manual:
        return Effect(
            moves=(Move("hold", customer, merchant, payment.amount),),
            payment=replace(payment, status="authorized"),
            transaction="hold",
            events=("payment.authorized",),
        )
    fee = fee_on(model.accounts[merchant], payment.amount)
    if promised is None:
        moves = [Move("post", customer, merchant, payment.amount)]
    else:
        moves = paid_across(promised, merchant)
        payment = replace(payment, quote=promised.id)
        promised = replace(promised, payment=payment.id)
    if fee:
        moves.append(Move("post", merchant, own_key(AccountKind.FEES, payment.currency), fee))
    return Effect(
        moves=tuple(moves),
        payment=replace(payment, status="captured", captured=payment.amount, charged=fee),
        quote=promised,
        transaction="payment",
        events=("payment.captured",),
    )


def _ended(payment: ModelPayment, status: str) -> Effect:
    moves = (Move("release", *_parties(payment), payment.held),) if payment.held else ()
    return Effect(
        moves=moves,
        payment=replace(payment, status=status, version=payment.version + 1),
        transaction="release" if moves else "",
        events=(f"payment.{status}",),
    )


def _parties(payment: ModelPayment) -> tuple[AccountKey, AccountKey]:
    return (
        customer_key(payment.customer or UserId(""), payment.currency),
        merchant_key(payment.merchant, payment.currency),
    )


def _first(terms: PaymentTerms, customer: UserId | None, status: str, *, named_by: UserId) -> ModelPayment:
    return ModelPayment(
        status=status,
        amount=terms.amount.amount_minor,
        currency=terms.amount.currency,
        manual=terms.capture == "manual",
        customer=customer,
        merchant=terms.merchant_id,
        reference=terms.reference,
        named_by=named_by,
    )


def _must_be_free(model: Model, payment: ModelPayment) -> None:
    if payment.reference is None:
        return
    if model.references.get((payment.merchant, payment.named_by, payment.reference)):
        raise Refused("duplicate_reference")


def _end(terms: PaymentTerms, now: datetime) -> datetime:
    return now + timedelta(seconds=terms.expires_in_seconds or WEEK_SECONDS)


RULES: Final[Rules] = {
    Pay: pay,
    RequestPayment: request,
    ConfirmPayment: confirm,
    CapturePayment: capture,
    CancelPayment: cancel,
    ExpirePayment: expire,
    ApprovePayment: review,
    DeclinePayment: review,
}
