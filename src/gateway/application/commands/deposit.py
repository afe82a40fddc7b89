"""Deposit money from outside the gateway."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.funding import external_needs, move_funding
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.account import AccountId
from gateway.domain.audit import AuditAction, AuditNote
from gateway.domain.checks import check_id, check_text, check_type
from gateway.domain.deposit import Deposit, DepositId
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.limits import REFERENCE_LENGTH_MAX
from gateway.domain.money import Money
from gateway.domain.transaction import TransactionType
from gateway.domain.user import UserId


@immutable
class MakeDeposit(Command[Deposit]):
    """Move `amount` from outside the gateway to an account.

    `owner_id` is the owner that the account must have; `None` allows any user's account, for operators.
    Refuses: account_not_found, currency_mismatch, user_disabled, account_closed, balance_overflow.
    """

    result_type: ClassVar = Deposit

    account_id: AccountId
    amount: Money
    owner_id: UserId | None
    reference: str | None = None

    def __post_init__(self) -> None:
        check_id("account_id", self.account_id)
        check_type("amount", self.amount, Money)
        if self.owner_id is not None:
            check_id("owner_id", self.owner_id)
        if self.reference is not None:
            check_text("reference", self.reference, REFERENCE_LENGTH_MAX)

    @override
    def needs(self) -> Needs:
        return external_needs(self.account_id, self.amount.currency)

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Deposit]:
        transaction, accounts = move_funding(
            TransactionType.DEPOSIT,
            self.account_id,
            self.amount,
            owner_id=self.owner_id,
            reference=self.reference,
            ledger=ledger,
            moment=moment,
        )
        deposit = Deposit(
            id=DepositId(moment.new_id("dep")),
            transaction_id=transaction.id,
            account_id=self.account_id,
            amount=self.amount,
            reference=self.reference,
            created_at=moment.now,
        )
        event = moment.event(EventType.DEPOSIT_SUCCEEDED, deposit, parties=transaction)
        note = AuditNote(
            action=AuditAction.DEPOSIT_MADE,
            object_id=deposit.id,
            owner_id=ledger.account(self.account_id).owner_id,
            after={"account_id": self.account_id, "amount": self.amount.amount_minor, "currency": self.amount.currency},
        )
        return Decision(
            outcome=deposit,
            accounts=accounts,
            transactions=(transaction,),
            events=(event,),
            # Owners make deposits in a sandbox alone.
            notes=(note,) if self.owner_id is None else (),
        )
