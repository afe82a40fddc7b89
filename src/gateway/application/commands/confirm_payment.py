"""A customer confirms the payment that a merchant asked for."""

from typing import ClassVar, assert_never

from gateway.application.commands.shared.exchange_legs import pay_across
from gateway.application.commands.shared.payments import (
    Paid,
    Steps,
    fees_account,
    payee_account,
    payer_account,
    payment_event,
    payment_transaction,
    status_event,
)
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs, Payer
from gateway.domain.account import check_user_id
from gateway.domain.checks import check_id
from gateway.domain.errors import InsufficientFunds, PaymentNotFound
from gateway.domain.event import EventType
from gateway.domain.payment import (
    CaptureMethod,
    Payment,
    PaymentAction,
    PaymentId,
    QuoteId,
    confirmation_failed,
    confirmed,
    must_allow,
    must_be_at_once,
    payment_to_oneself,
)
from gateway.domain.quote import Quote, must_be_good
from gateway.domain.transaction import TransactionType
from gateway.domain.transfer import charge, hold, post
from gateway.domain.user import UserId
from gateway.domain.value import value


@value
class ConfirmPayment(Command[Paid]):
    """Move or hold the money of a requested payment. One that names nobody is whose confirms it.

    With a quote, the customer pays its source, and the merchant gets its target: what they asked for. A confirmation
    that lacks funds does not use the quote.
    Refuses: payment_not_found, payment_state_invalid, payment_expired, same_account, currency_mismatch, account_frozen,
    insufficient_funds (the payment can still be confirmed, and keeps the code as its `failure_code`),
    balance_overflow; with a quote quote_not_found, quote_used, quote_expired, quote_amount_mismatch, and
    validation_error if it is to be held.
    """

    result_type: ClassVar = Paid

    payment_id: PaymentId
    customer_id: UserId
    quote_id: QuoteId | None = None

    def __post_init__(self) -> None:
        check_id("payment_id", self.payment_id)
        check_user_id("customer_id", self.customer_id)
        if self.quote_id is not None:
            check_id("quote_id", self.quote_id)

    def needs(self) -> Needs:
        """The payment, and the confirming customer's account in its currency; with a quote, the one that it brings."""
        if self.quote_id is not None:
            return Needs(payments=(self.payment_id,), quotes=(self.quote_id,))
        return Needs(payments=(self.payment_id,), payers=(Payer(self.payment_id, self.customer_id),))

    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Paid]:
        """Pay what was asked for."""
        asked = ledger.payment(self.payment_id)
        if asked.customer_id not in (None, self.customer_id):
            raise PaymentNotFound("There is no such payment.")
        must_allow(asked, PaymentAction.CONFIRM, moment.now)
        if self.customer_id == asked.merchant_id:
            raise payment_to_oneself()
        currency, amount_minor = asked.amount.currency, asked.amount.amount_minor
        merchant = payee_account(ledger, asked.merchant_id, currency)
        quote = None if self.quote_id is None else self._quote(self.quote_id, asked, ledger, moment)
        customer = payer_account(ledger, self.customer_id, currency if quote is None else quote.source.currency)
        steps, fee = Steps(), 0
        try:
            match asked.capture:
                case CaptureMethod.AUTOMATIC:
                    kind = TransactionType.PAYMENT
                    if quote is None:
                        steps.make(post, customer, merchant, amount_minor)
                    else:
                        pay_across(steps, quote, customer, merchant, ledger)
                    fee = merchant.fees.fee_on(amount_minor)
                    if fee:
                        steps.make(charge, merchant, fees_account(ledger, currency), fee)
                case CaptureMethod.MANUAL:
                    kind = TransactionType.HOLD
                    steps.make(hold, customer, merchant, amount_minor)
                case _:
                    assert_never(asked.capture)
        except InsufficientFunds as refusal:
            refusal.facts["payment_id"] = asked.id
            unpaid = confirmation_failed(asked, failure_code=refusal.code, now=moment.now)
            event = payment_event(EventType.PAYMENT_CONFIRMATION_FAILED, unpaid, moment)
            return Decision(outcome=refusal, payments=(unpaid,), events=(event,))
        payment = confirmed(asked, customer_id=self.customer_id, fee_minor=fee, quote_id=self.quote_id, now=moment.now)
        transaction = payment_transaction(kind, payment, tuple(steps.transfers), moment)
        return Decision(
            outcome=Paid(payment=payment, transaction=transaction),
            accounts=steps.accounts.values(),
            payments=(payment,),
            quotes=() if quote is None else (quote.used_by(payment.id),),
            transactions=(transaction,),
            events=(status_event(payment, moment),),
        )

    def _quote(self, quote_id: QuoteId, asked: Payment, ledger: LedgerView, moment: Moment) -> Quote:
        must_be_at_once(asked.capture, field="quote_id")
        quote = ledger.quote(quote_id)
        must_be_good(quote, customer_id=self.customer_id, amount=asked.amount, now=moment.now)
        return quote
