"""Approve or decline a payment that waits for a review: what operators do with it."""

from dataclasses import replace

from typing_extensions import override

from gateway.application.commands.shared.accounts import fees_account, payee_account, payer_account
from gateway.application.commands.shared.payments import moved_decision, release_decision, status_event
from gateway.application.commands.shared.reviews import Review
from gateway.application.commands.shared.transfer_sequence import TransferSequence
from gateway.application.engine.command import Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.domain.audit import AuditAction
from gateway.domain.errors import PaymentNotFound
from gateway.domain.immutable import immutable
from gateway.domain.payment import Payment
from gateway.domain.payment_life import approve, decline, must_allow
from gateway.domain.payment_status import PaymentAction
from gateway.domain.transaction import TransactionType
from gateway.domain.transfer import charge, post_held


@immutable
class ApprovePayment(Review):
    """Let a payment go on that waits for a review: its money moves, or stays held for captures of the merchant.

    Refuses: payment_not_found, payment_state_invalid, payment_expired, account_frozen, balance_overflow.
    """

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Payment]:
        waiting = ledger.payment(self.payment_id)
        must_allow(waiting, PaymentAction.APPROVE, moment.now)
        if waiting.customer_id is None:
            raise PaymentNotFound("Nobody has confirmed this payment.")
        currency = waiting.amount.currency
        merchant = payee_account(ledger, waiting.merchant_id, currency)
        approved = approve(waiting, fees=merchant.fees, now=moment.now)
        payment = approved.payment
        note = self.note(AuditAction.PAYMENT_APPROVED, waiting, payment)
        if not approved.captured_minor:
            return Decision(
                outcome=payment, payments=(payment,), events=(status_event(payment, moment),), notes=(note,)
            )
        steps = TransferSequence()
        customer = payer_account(ledger, waiting.customer_id, currency)
        steps.make(post_held, customer, merchant, approved.captured_minor)
        if approved.fee_minor:
            steps.make(charge, merchant, fees_account(ledger, currency), approved.fee_minor)
        return replace(moved_decision(TransactionType.CAPTURE, payment, steps, moment), notes=(note,))


@immutable
class DeclinePayment(Review):
    """Cancel a payment that waits for a review: its money is released.

    Refuses: payment_not_found, payment_state_invalid, payment_expired.
    """

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Payment]:
        waiting = ledger.payment(self.payment_id)
        ended = decline(waiting, now=moment.now)
        note = self.note(AuditAction.PAYMENT_DECLINED, waiting, ended.payment)
        return replace(release_decision(ended, ledger, moment), notes=(note,))
