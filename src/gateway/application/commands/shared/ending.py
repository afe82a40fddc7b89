"""Ending a payment before all of it was captured: what is still held goes back."""

from gateway.application.commands.shared.payments import (
    Steps,
    payee_account,
    payer_account,
    payment_transaction,
    status_event,
)
from gateway.application.engine.command import Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.domain.payment import Ended, Payment
from gateway.domain.transaction import TransactionType
from gateway.domain.transfer import release


def ended(after: Ended, ledger: LedgerView, moment: Moment) -> Decision[Payment]:
    """The decision that a payment has ended. A request holds nothing, and so moves nothing."""
    payment = after.payment
    events = (status_event(payment, moment),)
    if after.released_minor == 0 or payment.customer_id is None:
        return Decision(outcome=payment, payments=(payment,), events=events)
    currency = payment.amount.currency
    steps = Steps()
    steps.make(
        release,
        payer_account(ledger, payment.customer_id, currency),
        payee_account(ledger, payment.merchant_id, currency),
        after.released_minor,
    )
    transaction = payment_transaction(TransactionType.RELEASE, payment, tuple(steps.transfers), moment)
    return Decision(
        outcome=payment,
        accounts=steps.accounts.values(),
        payments=(payment,),
        transactions=(transaction,),
        events=events,
    )
