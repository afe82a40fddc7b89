"""Pay money out of the gateway."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.funding import external_needs, move_funding
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.account import AccountId
from gateway.domain.checks import check_id, check_text, check_type
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.limits import REFERENCE_LENGTH_MAX
from gateway.domain.money import Money
from gateway.domain.payout import Payout, PayoutId
from gateway.domain.transaction import TransactionType
from gateway.domain.user import UserId


@immutable
class MakePayout(Command[Payout]):
    """Move `amount` from an account of `owner_id` to outside the gateway.

    Refuses: account_not_found, currency_mismatch, account_frozen, user_disabled, account_closed, insufficient_funds,
    balance_overflow.
    """

    result_type: ClassVar = Payout

    account_id: AccountId
    amount: Money
    owner_id: UserId
    reference: str | None = None

    def __post_init__(self) -> None:
        check_id("account_id", self.account_id)
        check_type("amount", self.amount, Money)
        check_id("owner_id", self.owner_id)
        if self.reference is not None:
            check_text("reference", self.reference, REFERENCE_LENGTH_MAX)

    @override
    def needs(self) -> Needs:
        return external_needs(self.account_id, self.amount.currency)

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Payout]:
        transaction, accounts = move_funding(
            TransactionType.PAYOUT,
            self.account_id,
            self.amount,
            owner_id=self.owner_id,
            reference=self.reference,
            ledger=ledger,
            moment=moment,
        )
        payout = Payout(
            id=PayoutId(moment.new_id("pyo")),
            transaction_id=transaction.id,
            account_id=self.account_id,
            amount=self.amount,
            reference=self.reference,
            created_at=moment.now,
        )
        event = moment.event(EventType.PAYOUT_SUCCEEDED, payout, parties=transaction)
        return Decision(outcome=payout, accounts=accounts, transactions=(transaction,), events=(event,))
