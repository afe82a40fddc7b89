"""Requests of payments: what they need, and how they are decided."""

from gateway.application.commands.shared.accounts import (
    customer_must_exist,
    no_such_customer,
    payee_account,
    payee_key,
    payer_key,
)
from gateway.application.commands.shared.payments import status_event
from gateway.application.engine.command import Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.new_payment import requested
from gateway.domain.payment import Payment, PaymentId
from gateway.domain.payment_terms import PaymentRequest, payment_to_oneself, reference_of
from gateway.domain.transfer import must_receive


def request_needs(request: PaymentRequest) -> Needs:
    """The merchant's account, the customer's if there is one, and the reference."""
    currency = request.amount.currency
    keys = [payee_key(request.merchant_id, currency)]
    if request.customer_id is not None:
        keys.append(payer_key(request.customer_id, currency))
    return Needs(
        account_keys=keys,
        references=() if (reference := reference_of(request)) is None else (reference,),
    )


def request_decision(request: PaymentRequest, ledger: LedgerView, moment: Moment) -> Decision[Payment]:
    """The decision that a payment is requested. No money moves.

    Raises:
        SameAccount: The customer is the merchant.
        MerchantNotFound, UserNotFound: There is no such merchant, or no such customer for this merchant.
        CurrencyMismatch: The merchant has no account in the currency.
        UserDisabled, AccountClosed: As `must_receive`, of the merchant.
        DuplicateReference, RequiresOwnTransaction: As `LedgerView.must_be_free`.
    """
    if request.customer_id == request.merchant_id:
        raise payment_to_oneself()
    must_receive(payee_account(ledger, request.merchant_id, request.amount.currency))
    if request.customer_id is not None:
        # The customer may still open an account in this currency before the confirmation.
        key = payer_key(request.customer_id, request.amount.currency)
        customer_must_exist(ledger, key)
        account = ledger.find_account(key)
        if account is not None and account.managed_by not in (None, request.merchant_id):
            raise no_such_customer()
    if (reference := reference_of(request)) is not None:
        ledger.must_be_free(reference)
    payment = requested(request, payment_id=PaymentId(moment.new_id("pay")), now=moment.now)
    return Decision(outcome=payment, payments=(payment,), events=(status_event(payment, moment),))
