"""Refund a captured payment."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.accounts import exchange_account, fees_account, payee_account, payer_account
from gateway.application.commands.shared.exchange_legs import return_across
from gateway.application.commands.shared.payments import payment_event, payment_of_merchant
from gateway.application.commands.shared.transfer_sequence import TransferSequence
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.checks import check_free_text, check_id, check_type
from gateway.domain.errors import InsufficientFunds, MerchantInsufficientFunds, PaymentNotFound
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.limits import REASON_LENGTH_MAX
from gateway.domain.money import Money, check_amount
from gateway.domain.payment import PaymentId
from gateway.domain.payment_life import refund
from gateway.domain.refund import Refund, RefundId
from gateway.domain.transaction import TransactionType
from gateway.domain.transfer import give_back
from gateway.domain.user import UserId


@immutable
class RefundPayment(Command[Refund]):
    """Refund `amount_minor` (≥ 1), or all that is left. With `refund_fee`, the merchant gets its share of the fee back.

    The refund of a payment with a quote uses the quote's rate: the merchant returns target currency, and the customer
    gets source currency, with the spread or without it, in the time for refunds that the quote promised.
    Refuses: payment_not_found, payment_not_refundable, refund_amount_exceeds_remaining, refund_limit_reached,
    merchant_insufficient_funds, account_frozen, user_disabled, account_closed, balance_overflow.
    """

    result_type: ClassVar = Refund

    payment_id: PaymentId
    merchant_id: UserId
    amount_minor: int | None = None
    reason: str | None = None
    refund_fee: bool = False

    def __post_init__(self) -> None:
        check_id("payment_id", self.payment_id)
        check_id("merchant_id", self.merchant_id)
        if self.amount_minor is not None:
            check_amount("amount_minor", self.amount_minor)
        if self.reason is not None:
            check_free_text("reason", self.reason, REASON_LENGTH_MAX, length_min=1)
        check_type("refund_fee", self.refund_fee, bool)

    @override
    def needs(self) -> Needs:
        return Needs(payments=(self.payment_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Refund]:
        paid = payment_of_merchant(ledger, self.payment_id, self.merchant_id)
        quote = None if paid.quote_id is None else ledger.quote(paid.quote_id)
        refunded = refund(
            paid,
            amount_minor=self.amount_minor,
            refund_fee=self.refund_fee,
            now=moment.now,
            until=None if quote is None else quote.refundable_until,
        )
        if paid.customer_id is None:
            raise PaymentNotFound("Nobody has confirmed this payment.")
        payment, currency = refunded.payment, paid.amount.currency
        merchant = payee_account(ledger, paid.merchant_id, currency)
        steps = TransferSequence()
        if quote is None:
            payee = payer_account(ledger, paid.customer_id, currency)
        else:
            payee = exchange_account(ledger, currency)
            return_across(steps, quote, paid, payment, ledger)
        if refunded.fee_minor:
            steps.make(give_back, fees_account(ledger, currency), merchant, refunded.fee_minor)
        try:
            steps.make(give_back, merchant, payee, refunded.amount_minor)
        except InsufficientFunds as short:
            raise MerchantInsufficientFunds("The merchant's available balance does not cover the refund.") from short
        transaction = moment.transaction(
            TransactionType.REFUND,
            steps.transfers,
            parties=payment,
            payment_id=payment.id,
            description=payment.description if self.reason is None else self.reason,
        )
        record = Refund(
            id=RefundId(moment.new_id("ref")),
            payment_id=payment.id,
            transaction_id=transaction.id,
            amount=Money(refunded.amount_minor, currency),
            fee_refunded_minor=refunded.fee_minor,
            reason=self.reason,
            created_at=moment.now,
        )
        return Decision(
            outcome=record,
            accounts=steps.accounts.values(),
            payments=(payment,),
            refunds=(record,),
            transactions=(transaction,),
            events=(
                payment_event(EventType.PAYMENT_REFUNDED, payment, moment),
                moment.event(EventType.REFUND_SUCCEEDED, record, parties=payment),
            ),
        )
