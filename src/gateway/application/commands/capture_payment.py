"""Capture a held payment."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.accounts import fees_account, payee_account, payer_account
from gateway.application.commands.shared.payments import PaymentResult, Settlement, payment_of_merchant
from gateway.application.commands.shared.transfer_sequence import TransferSequence
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.checks import check_id, check_type
from gateway.domain.errors import PaymentNotFound
from gateway.domain.immutable import immutable
from gateway.domain.money import check_amount
from gateway.domain.payment import PaymentId
from gateway.domain.payment_life import capture_hold, must_allow
from gateway.domain.payment_status import PaymentAction
from gateway.domain.transaction import TransactionType
from gateway.domain.transfer import charge, post_held, release
from gateway.domain.user import UserId


@immutable
class CapturePayment(Command[PaymentResult]):
    """Move `amount_minor` (≥ 1) of the held money to the merchant, or all of it. A `final` capture releases the rest.

    Refuses: payment_not_found, payment_state_invalid, payment_expired, capture_amount_exceeds_authorized,
    capture_limit_reached, account_frozen, balance_overflow.
    """

    result_type: ClassVar = PaymentResult

    payment_id: PaymentId
    merchant_id: UserId
    amount_minor: int | None = None
    final: bool = True

    def __post_init__(self) -> None:
        check_id("payment_id", self.payment_id)
        check_id("merchant_id", self.merchant_id)
        if self.amount_minor is not None:
            check_amount("amount_minor", self.amount_minor)
        check_type("final", self.final, bool)

    @override
    def needs(self) -> Needs:
        return Needs(payments=(self.payment_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[PaymentResult]:
        held = payment_of_merchant(ledger, self.payment_id, self.merchant_id)
        must_allow(held, PaymentAction.CAPTURE, moment.now)
        if held.customer_id is None:
            raise PaymentNotFound("Nobody has confirmed this payment.")
        currency = held.amount.currency
        merchant = payee_account(ledger, held.merchant_id, currency)
        customer = payer_account(ledger, held.customer_id, currency)
        taken = capture_hold(held, amount_minor=self.amount_minor, final=self.final, fees=merchant.fees, now=moment.now)
        steps = TransferSequence()
        steps.make(post_held, customer, merchant, taken.captured_minor)
        steps.make(release, customer, merchant, taken.released_minor)
        if taken.fee_minor:
            steps.make(charge, merchant, fees_account(ledger, currency), taken.fee_minor)
        settlement = Settlement(kind=TransactionType.CAPTURE, steps=steps)
        return settlement.decision(taken.payment, moment)
