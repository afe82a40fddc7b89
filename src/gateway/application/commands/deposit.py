"""Money comes in from outside."""

from typing import ClassVar

from gateway.application.commands.shared.parties import parties_of
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.account import AccountId, AccountKind, system_account
from gateway.domain.checks import check_id, check_text, check_type
from gateway.domain.deposit import Deposit, DepositId
from gateway.domain.errors import AccountNotFound, CurrencyMismatch
from gateway.domain.event import Event, EventId, EventType
from gateway.domain.limits import REFERENCE_LENGTH_MAX
from gateway.domain.money import Money
from gateway.domain.transaction import Transaction, TransactionId, TransactionType
from gateway.domain.transfer import post
from gateway.domain.user import SYSTEM, UserId
from gateway.domain.value import value


@value
class MakeDeposit(Command[Deposit]):
    """Move `amount` from the outside world to an account.

    `owner_id` limits it to that owner's accounts; `None` is an operator, who may fund anybody's.
    Refuses: account_not_found, currency_mismatch, balance_overflow.
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

    def needs(self) -> Needs:
        """The account, and the outside world's in the same currency."""
        return Needs(
            account_ids=(self.account_id,), account_keys=(system_account(AccountKind.FUNDING, self.amount.currency),)
        )

    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Deposit]:
        """Credit the account."""
        account = ledger.account(self.account_id)
        if account.owner_id == SYSTEM or (self.owner_id is not None and account.owner_id != self.owner_id):
            raise AccountNotFound("There is no such account.")
        funding = ledger.find_account(system_account(AccountKind.FUNDING, self.amount.currency))
        if funding is None or account.currency != self.amount.currency:
            raise CurrencyMismatch(f"The account is in {account.currency}, the deposit in {self.amount.currency}.")
        moved = post(funding, account, self.amount.amount_minor)
        parties = parties_of(account)
        transaction = Transaction(
            id=TransactionId(moment.new_transaction_id("txn")),
            type=TransactionType.DEPOSIT,
            transfers=(moved.transfer,),
            payment_id=None,
            customer_id=parties.customer_id,
            merchant_id=parties.merchant_id,
            description=self.reference,
            reverses=None,
            created_at=moment.now,
        )
        deposit = Deposit(
            id=DepositId(moment.new_id("dep")),
            transaction_id=transaction.id,
            account_id=account.id,
            amount=self.amount,
            reference=self.reference,
            created_at=moment.now,
        )
        event = Event(
            id=EventId(moment.new_id("evt")),
            type=EventType.DEPOSIT_SUCCEEDED,
            object=deposit,
            sequence=1,
            customer_id=parties.customer_id,
            merchant_id=parties.merchant_id,
            created_at=moment.now,
        )
        return Decision(
            outcome=deposit, accounts=(moved.debit, moved.credit), transactions=(transaction,), events=(event,)
        )
