"""Reverse a deposit or a payout."""

from dataclasses import replace
from typing import ClassVar, Final

from typing_extensions import override

from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.audit import AuditAction, AuditNote
from gateway.domain.checks import check_free_text, check_id
from gateway.domain.errors import AlreadyReversed, TransactionNotReversible, UseRefund
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.limits import REASON_LENGTH_MAX
from gateway.domain.transaction import Transaction, TransactionId, TransactionType
from gateway.domain.transfer import give_back
from gateway.domain.user import SYSTEM

REVERSIBLE: Final = frozenset({TransactionType.DEPOSIT, TransactionType.PAYOUT})


@immutable
class ReverseTransaction(Command[Transaction]):
    """Move the same amount back. A transaction can be reversed once.

    Refuses: transaction_not_found, use_refund (for transactions of payments), transaction_not_reversible,
    already_reversed, account_frozen, user_disabled, account_closed, insufficient_funds, balance_overflow.
    """

    result_type: ClassVar = Transaction

    transaction_id: TransactionId
    reason: str

    def __post_init__(self) -> None:
        check_id("transaction_id", self.transaction_id)
        check_free_text("reason", self.reason, REASON_LENGTH_MAX, length_min=1)

    @override
    def needs(self) -> Needs:
        return Needs(transactions=(self.transaction_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Transaction]:
        original = ledger.transaction(self.transaction_id)
        must_be_reversible(original)
        [transfer] = original.transfers
        debit, credit = ledger.account(transfer.credit_account_id), ledger.account(transfer.debit_account_id)
        moved = give_back(debit, credit, transfer.amount_minor)
        # Not the parties of then: a merchant who managed the owner may manage them no more.
        parties = debit if debit.owner_id != SYSTEM else credit
        reversal = moment.transaction(
            TransactionType.REVERSAL,
            (moved.transfer,),
            parties=parties,
            description=self.reason,
            reverses=original.id,
        )
        reversed_original = replace(original, reversed_by=reversal.id)
        event = moment.event(EventType.TRANSACTION_REVERSED, reversed_original, parties=parties)
        note = AuditNote(
            action=AuditAction.TRANSACTION_REVERSED,
            object_id=original.id,
            owner_id=parties.merchant_id or parties.customer_id,
            reason=self.reason,
            after={"reversed_by": reversal.id, "amount": transfer.amount_minor, "currency": transfer.currency},
        )
        return Decision(
            outcome=reversal,
            accounts=(moved.debit, moved.credit),
            transactions=(reversal,),
            events=(event,),
            notes=(note,),
        )


def must_be_reversible(transaction: Transaction) -> None:
    """Check that a transaction is a deposit or a payout that was not reversed.

    Raises:
        UseRefund: It belongs to a payment.
        TransactionNotReversible: It is a reversal.
        AlreadyReversed: It was reversed.
    """
    if transaction.payment_id is not None:
        raise UseRefund("A payment is taken back with a refund.", payment_id=transaction.payment_id)
    if transaction.type not in REVERSIBLE:
        raise TransactionNotReversible("A reversal cannot be reversed.")
    if transaction.reversed_by is not None:
        raise AlreadyReversed("The transaction was reversed before.", reversed_by=transaction.reversed_by)
