"""What the commands on payments share: settling, ending, and their events."""

from typing import Final, assert_never

from gateway.application.commands.shared.accounts import fees_account, no_such_customer, payee_account, payer_account
from gateway.application.commands.shared.exchange_legs import pay_across
from gateway.application.commands.shared.risk import NOT_ASKED, Terms, ask_rules
from gateway.application.commands.shared.transfer_sequence import TransferSequence
from gateway.application.engine.command import Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.domain.errors import PaymentNotFound
from gateway.domain.event import Event
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.payment import CaptureMethod, Payment, PaymentId, PaymentReference, QuoteId
from gateway.domain.payment_counters import PaymentCounters
from gateway.domain.payment_life import PaymentEnding
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.payment_terms import must_be_at_once, payment_to_oneself
from gateway.domain.quote import Quote, check_usable
from gateway.domain.transaction import Transaction, TransactionType
from gateway.domain.transfer import charge, hold, post, release
from gateway.domain.user import UserId

EVENT_OF: Final = {
    PaymentStatus.REQUIRES_CONFIRMATION: EventType.PAYMENT_CREATED,
    PaymentStatus.REQUIRES_REVIEW: EventType.PAYMENT_REQUIRES_REVIEW,
    PaymentStatus.AUTHORIZED: EventType.PAYMENT_AUTHORIZED,
    PaymentStatus.PARTIALLY_CAPTURED: EventType.PAYMENT_PARTIALLY_CAPTURED,
    PaymentStatus.CAPTURED: EventType.PAYMENT_CAPTURED,
    PaymentStatus.CANCELED: EventType.PAYMENT_CANCELED,
    PaymentStatus.EXPIRED: EventType.PAYMENT_EXPIRED,
    PaymentStatus.FAILED: EventType.PAYMENT_FAILED,
}
"""The event of each status that a payment can reach."""


@immutable
class PaymentResult:
    """A payment, and the transaction that moved or held its money."""

    payment: Payment
    transaction: Transaction


@immutable
class Settlement:
    """The transfers of a payment, with the quote that they use.

    Attributes:
        counters: What the customer has paid lately, with this payment; `None` if nothing is counted.
        review: The rule that sends it to a review; then its money is held. `None` if it needs none.
    """

    kind: TransactionType
    steps: TransferSequence
    fee_minor: int = 0
    quote: Quote | None = None
    counters: PaymentCounters | None = None
    review: str | None = None

    def decision(self, payment: Payment, moment: Moment) -> Decision[PaymentResult]:
        """The decision that `payment` was paid, held or captured with these transfers."""
        steps, quote = self.steps, self.quote
        transaction = moment.transaction(
            self.kind, steps.transfers, parties=payment, payment_id=payment.id, description=payment.description
        )
        return Decision(
            outcome=PaymentResult(payment=payment, transaction=transaction),
            accounts=steps.accounts.values(),
            payments=(payment,),
            quotes=() if quote is None else (quote.used_by(payment.id),),
            transactions=(transaction,),
            payment_counters=() if self.counters is None else (self.counters,),
            events=(status_event(payment, moment),),
        )


def payment_of_merchant(ledger: LedgerView, payment_id: PaymentId, merchant_id: UserId) -> Payment:
    """A payment for its merchant. Another merchant's payment is refused like one that does not exist.

    Raises:
        PaymentNotFound: The merchant has no such payment.
    """
    payment = ledger.payment(payment_id)
    if payment.merchant_id != merchant_id:
        raise PaymentNotFound("There is no such payment.")
    return payment


def settle(
    terms: Terms,
    *,
    customer_id: UserId,
    quote_id: QuoteId | None,
    reference: PaymentReference | None = None,
    may_wait: bool = True,
    ledger: LedgerView,
    moment: Moment,
) -> Settlement:
    """Move the amount from the customer to the merchant and charge the merchant's fee, or hold it.

    With a quote, the customer pays its source, and the merchant gets its target. `reference` must not be in use. If a
    rule of risk sends it to a review, the amount is held; one that may not wait for that is refused.

    Raises:
        SameAccount: The customer is the merchant.
        MerchantNotFound, UserNotFound: There is no such merchant or no such customer.
        CurrencyMismatch: One of them has no account in the currency.
        InvalidInput: There is a quote, and the amount is to be held.
        QuoteNotFound, QuoteUsed, QuoteExpired, QuoteAmountMismatch: As `check_usable`.
        DuplicateReference, RequiresOwnTransaction: As `LedgerView.must_be_free`.
        LimitExceeded: A rule of risk refuses it.
        AccountFrozen, BalanceOverflow: As `post`.
        InsufficientFunds: The customer's available balance is too low.
    """
    currency, amount_minor = terms.amount.currency, terms.amount.amount_minor
    if customer_id == terms.merchant_id:
        raise payment_to_oneself()
    merchant = payee_account(ledger, terms.merchant_id, currency)
    quote = None
    if quote_id is not None:
        must_be_at_once(terms.capture, field="quote_id")
        quote = ledger.quote(quote_id)
        check_usable(quote, customer_id=customer_id, amount=terms.amount, now=moment.now)
    customer = payer_account(ledger, customer_id, currency if quote is None else quote.source.currency)
    if customer.managed_by is not None and customer.managed_by != terms.merchant_id:
        raise no_such_customer()
    if reference is not None:
        ledger.must_be_free(reference)
    asked = (
        NOT_ASKED
        if ledger.risk is None
        else ask_rules(ledger.risk, terms, customer, quote, may_wait=may_wait, ledger=ledger, moment=moment)
    )
    steps = TransferSequence()
    capture = terms.capture if asked.review is None else CaptureMethod.MANUAL
    match capture:
        case CaptureMethod.AUTOMATIC:
            if quote is None:
                steps.make(post, customer, merchant, amount_minor)
            else:
                pay_across(steps, quote, customer, merchant, ledger)
            fee = merchant.fees.fee_on(amount_minor) if any(merchant.fees) else 0
            if fee:
                steps.make(charge, merchant, fees_account(ledger, currency), fee)
            return Settlement(
                kind=TransactionType.PAYMENT, steps=steps, fee_minor=fee, quote=quote, counters=asked.counters
            )
        case CaptureMethod.MANUAL:
            steps.make(hold, customer, merchant, amount_minor)
            return Settlement(kind=TransactionType.HOLD, steps=steps, counters=asked.counters, review=asked.review)
        case _:
            assert_never(capture)


def release_decision(after: PaymentEnding, ledger: LedgerView, moment: Moment) -> Decision[Payment]:
    """The decision that a payment ended before all of it was captured: held money is released.

    A requested payment holds nothing, and moves nothing.
    """
    payment = after.payment
    if after.released_minor == 0 or payment.customer_id is None:
        return Decision(outcome=payment, payments=(payment,), events=(status_event(payment, moment),))
    currency = payment.amount.currency
    steps = TransferSequence()
    steps.make(
        release,
        payer_account(ledger, payment.customer_id, currency),
        payee_account(ledger, payment.merchant_id, currency),
        after.released_minor,
    )
    return moved_decision(TransactionType.RELEASE, payment, steps, moment)


def moved_decision(
    kind: TransactionType, payment: Payment, steps: TransferSequence, moment: Moment
) -> Decision[Payment]:
    """The decision that a payment has reached its status with these transfers."""
    transaction = moment.transaction(
        kind, steps.transfers, parties=payment, payment_id=payment.id, description=payment.description
    )
    return Decision(
        outcome=payment,
        accounts=steps.accounts.values(),
        payments=(payment,),
        transactions=(transaction,),
        events=(status_event(payment, moment),),
    )


def payment_event(kind: EventType, payment: Payment, moment: Moment) -> Event:
    """A change of a payment."""
    return moment.event(kind, payment, parties=payment, sequence=payment.version)


def status_event(payment: Payment, moment: Moment) -> Event:
    """The event of the status that a payment has just reached."""
    return moment.event(EVENT_OF[payment.status], payment, parties=payment, sequence=payment.version)
