"""A customer confirms the payment that a merchant asked for."""

from typing import ClassVar, assert_never

from gateway.application.book import Book
from gateway.application.command import Command, Decision, Moment, Needs
from gateway.application.paying import (
    Paid,
    Steps,
    fees_account,
    payee_account,
    payer_account,
    payment_transaction,
    status_event,
)
from gateway.application.ports.unit_of_work import Payer
from gateway.domain.errors import InsufficientFunds, PaymentNotFound
from gateway.domain.payment import (
    CaptureMethod,
    PaymentAction,
    PaymentId,
    confirmation_failed,
    confirmed,
    must_allow,
)
from gateway.domain.transaction import TransactionType
from gateway.domain.transfer import charge, hold, post
from gateway.domain.user import UserId
from gateway.domain.value import value


@value
class ConfirmPayment(Command[Paid]):
    """Move or hold the money of a requested payment. One that names nobody is whose confirms it.

    Refuses: payment_not_found, payment_state_invalid, payment_expired, currency_mismatch, account_frozen,
    insufficient_funds (the payment has then failed), balance_overflow.
    """

    result_type: ClassVar = Paid

    payment_id: PaymentId
    customer_id: UserId

    def needs(self) -> Needs:
        """The payment, and the confirming customer's account in its currency."""
        return Needs(payments=(self.payment_id,), payers=(Payer(self.payment_id, self.customer_id),))

    def decide(self, book: Book, moment: Moment) -> Decision[Paid]:
        """Pay what was asked for."""
        asked = book.payment(self.payment_id)
        if asked.customer_id not in (None, self.customer_id):
            raise PaymentNotFound("There is no such payment.")
        must_allow(asked, PaymentAction.CONFIRM, moment.now)
        currency, amount_minor = asked.amount.currency, asked.amount.amount_minor
        merchant = payee_account(book, asked.merchant_id, currency)
        customer = payer_account(book, self.customer_id, currency)
        steps, fee = Steps(), 0
        try:
            match asked.capture:
                case CaptureMethod.AUTOMATIC:
                    kind = TransactionType.PAYMENT
                    steps.make(post, customer, merchant, amount_minor)
                    fee = merchant.fees.fee_on(amount_minor)
                    if fee:
                        steps.make(charge, merchant, fees_account(book, currency), fee)
                case CaptureMethod.MANUAL:
                    kind = TransactionType.HOLD
                    steps.make(hold, customer, merchant, amount_minor)
                case _:
                    assert_never(asked.capture)
        except InsufficientFunds as refusal:
            refusal.facts["payment_id"] = asked.id
            failed = confirmation_failed(asked, customer_id=self.customer_id, failure_code=refusal.code, now=moment.now)
            return Decision(outcome=refusal, payments=(failed,), events=(status_event(failed, moment),))
        payment = confirmed(asked, customer_id=self.customer_id, fee_minor=fee, now=moment.now)
        transaction = payment_transaction(kind, payment, tuple(steps.transfers), moment)
        return Decision(
            outcome=Paid(payment=payment, transaction=transaction),
            accounts=steps.accounts.values(),
            payments=(payment,),
            transactions=(transaction,),
            events=(status_event(payment, moment),),
        )
