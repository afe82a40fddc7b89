"""Confirm a requested payment."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.payments import PaymentResult, payment_event, settle
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.batch_records import Payer
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.account import check_user_id
from gateway.domain.checks import check_id
from gateway.domain.errors import InsufficientFunds, PaymentNotFound
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.payment import PaymentId, QuoteId
from gateway.domain.payment_life import confirmation_failed, confirmed, confirmed_for_review, must_allow
from gateway.domain.payment_status import PaymentAction
from gateway.domain.user import UserId


@immutable
class ConfirmPayment(Command[PaymentResult]):
    """Move or hold the money of a requested payment. If it names no customer, any customer may confirm it.

    With a quote, the customer pays its source, and the merchant gets its target. A confirmation without funds does not
    use the quote. If a rule of risk sends the payment to a review, its money is held until an operator has decided.
    Refuses: payment_not_found, payment_state_invalid, payment_expired, same_account, user_not_found (the customer),
    currency_mismatch, limit_exceeded, account_frozen, insufficient_funds (the payment can still be confirmed, and
    stores the code as its `failure_code`), balance_overflow; with a quote quote_not_found, quote_used, quote_expired,
    quote_amount_mismatch, and validation_error if the payment is to be held.
    """

    result_type: ClassVar = PaymentResult

    payment_id: PaymentId
    customer_id: UserId
    quote_id: QuoteId | None = None

    def __post_init__(self) -> None:
        check_id("payment_id", self.payment_id)
        check_user_id("customer_id", self.customer_id)
        if self.quote_id is not None:
            check_id("quote_id", self.quote_id)

    @override
    def needs(self) -> Needs:
        """The payment, and the customer's account in its currency; with a quote, the account is loaded with it."""
        if self.quote_id is not None:
            return Needs(payments=(self.payment_id,), quotes=(self.quote_id,))
        return Needs(payments=(self.payment_id,), payers=(Payer(self.payment_id, self.customer_id),))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[PaymentResult]:
        requested = ledger.payment(self.payment_id)
        if requested.customer_id not in (None, self.customer_id):
            raise PaymentNotFound("There is no such payment.")
        must_allow(requested, PaymentAction.CONFIRM, moment.now)
        try:
            settlement = settle(
                requested, customer_id=self.customer_id, quote_id=self.quote_id, ledger=ledger, moment=moment
            )
        except InsufficientFunds as refusal:
            refusal.facts["payment_id"] = requested.id
            unpaid = confirmation_failed(requested, failure_code=refusal.code, now=moment.now)
            event = payment_event(EventType.PAYMENT_CONFIRMATION_FAILED, unpaid, moment)
            return Decision(outcome=refusal, payments=(unpaid,), events=(event,))
        if settlement.review is not None and ledger.risk is not None:
            payment = confirmed_for_review(
                requested,
                customer_id=self.customer_id,
                rule=settlement.review,
                review_seconds=ledger.risk.review_seconds,
                now=moment.now,
            )
            return settlement.decision(payment, moment)
        payment = confirmed(
            requested,
            customer_id=self.customer_id,
            fee_minor=settlement.fee_minor,
            quote_id=self.quote_id,
            now=moment.now,
        )
        return settlement.decision(payment, moment)
