"""A customer pays a merchant, at once or with a hold."""

from typing import ClassVar, assert_never

from gateway.application.commands.shared.exchange_legs import pay_across
from gateway.application.commands.shared.payments import (
    Paid,
    Steps,
    fees_account,
    payee_account,
    payee_key,
    payer_account,
    payer_key,
    payment_transaction,
    status_event,
)
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.account import Account
from gateway.domain.checks import check_type
from gateway.domain.errors import InsufficientFunds
from gateway.domain.payment import (
    CaptureMethod,
    Payment,
    PaymentId,
    PaymentOrder,
    QuoteId,
    authorized,
    failed,
    paid_at_once,
    payment_to_oneself,
    reference_of,
)
from gateway.domain.quote import Quote, must_be_good
from gateway.domain.transaction import TransactionType
from gateway.domain.transfer import charge, hold, post
from gateway.domain.value import value


@value
class Pay(Command[Paid]):
    """Move the order's amount from the customer to the merchant, or hold it for them (`capture=manual`).

    With a quote, the customer pays its source, and the merchant gets its target. A payment that is then kept as failed
    has not used it.
    Refuses: same_account, merchant_not_found, currency_mismatch, duplicate_reference, account_frozen,
    insufficient_funds (the payment is then kept as failed), balance_overflow; with a quote quote_not_found, quote_used,
    quote_expired, quote_amount_mismatch.
    """

    result_type: ClassVar = Paid

    order: PaymentOrder

    def __post_init__(self) -> None:
        if type(self.order) is not PaymentOrder:
            check_type("order", self.order, PaymentOrder)

    def needs(self) -> Needs:
        """Both accounts, and whether the reference is taken; with a quote, the customer's comes along with it."""
        order = self.order
        currency = order.amount.currency
        references = () if (reference := reference_of(order)) is None else (reference,)
        if order.quote_id is not None:
            payee = payee_key(order.merchant_id, currency)
            return Needs(account_keys=(payee,), references=references, quotes=(order.quote_id,))
        return Needs(
            account_keys=(payer_key(order.customer_id, currency), payee_key(order.merchant_id, currency)),
            references=references,
        )

    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Paid]:
        """Pay, or keep the payment as failed if the customer cannot."""
        order = self.order
        currency = order.amount.currency
        if order.customer_id == order.merchant_id:
            raise payment_to_oneself()
        merchant = payee_account(ledger, order.merchant_id, currency)
        quote = None if order.quote_id is None else self._quote(order.quote_id, ledger, moment)
        customer = payer_account(ledger, order.customer_id, currency if quote is None else quote.source.currency)
        if (reference := reference_of(order)) is not None:
            ledger.must_be_free(reference)
        payment_id = PaymentId(moment.new_id("pay"))
        steps = Steps()
        try:
            kind, payment = self._move(steps, customer, merchant, quote, ledger, payment_id, moment)
        except InsufficientFunds as refusal:
            refusal.facts["payment_id"] = payment_id
            payment = failed(order, payment_id=payment_id, failure_code=refusal.code, now=moment.now)
            return Decision(outcome=refusal, payments=(payment,), events=(status_event(payment, moment),))
        transaction = payment_transaction(kind, payment, tuple(steps.transfers), moment)
        return Decision(
            outcome=Paid(payment=payment, transaction=transaction),
            accounts=steps.accounts.values(),
            payments=(payment,),
            quotes=() if quote is None else (quote.used_by(payment_id),),
            transactions=(transaction,),
            events=(status_event(payment, moment),),
        )

    def _quote(self, quote_id: QuoteId, ledger: LedgerView, moment: Moment) -> Quote:
        order = self.order
        quote = ledger.quote(quote_id)
        must_be_good(quote, customer_id=order.customer_id, amount=order.amount, now=moment.now)
        return quote

    def _move(
        self,
        steps: Steps,
        customer: Account,
        merchant: Account,
        quote: Quote | None,
        ledger: LedgerView,
        payment_id: PaymentId,
        moment: Moment,
    ) -> tuple[TransactionType, Payment]:
        order = self.order
        amount_minor = order.amount.amount_minor
        match order.capture:
            case CaptureMethod.AUTOMATIC:
                if quote is None:
                    steps.make(post, customer, merchant, amount_minor)
                else:
                    pay_across(steps, quote, customer, merchant, ledger)
                fee = merchant.fees.fee_on(amount_minor) if any(merchant.fees) else 0
                if fee:
                    steps.make(charge, merchant, fees_account(ledger, order.amount.currency), fee)
                return TransactionType.PAYMENT, paid_at_once(
                    order, payment_id=payment_id, fee_minor=fee, now=moment.now
                )
            case CaptureMethod.MANUAL:
                steps.make(hold, customer, merchant, amount_minor)
                return TransactionType.HOLD, authorized(order, payment_id=payment_id, now=moment.now)
            case _:
                assert_never(order.capture)
