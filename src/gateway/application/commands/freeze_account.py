"""An operator stops an account from paying, and lets it pay again."""

from typing import ClassVar

from gateway.application.commands.shared.accounts import account_event, users_account
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.account import Account, AccountId
from gateway.domain.checks import check_id
from gateway.domain.event import EventType
from gateway.domain.value import value


@value
class FreezeAccount(Command[Account]):
    """Let an account receive but not pay. A frozen one stays as it is. Refuses: account_not_found."""

    result_type: ClassVar = Account

    account_id: AccountId

    def __post_init__(self) -> None:
        check_id("account_id", self.account_id)

    def needs(self) -> Needs:
        """The account."""
        return Needs(account_ids=(self.account_id,))

    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Account]:
        """Freeze it."""
        account = users_account(ledger, self.account_id)
        return status_changed(account, account.frozen(), EventType.ACCOUNT_FROZEN, moment)


@value
class UnfreezeAccount(Command[Account]):
    """Let an account pay again. An open one stays as it is. Refuses: account_not_found."""

    result_type: ClassVar = Account

    account_id: AccountId

    def __post_init__(self) -> None:
        check_id("account_id", self.account_id)

    def needs(self) -> Needs:
        """The account."""
        return Needs(account_ids=(self.account_id,))

    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Account]:
        """Unfreeze it."""
        account = users_account(ledger, self.account_id)
        return status_changed(account, account.unfrozen(), EventType.ACCOUNT_UNFROZEN, moment)


def status_changed(before: Account, after: Account, kind: EventType, moment: Moment) -> Decision[Account]:
    """The decision that an account's status has changed, or that it was so already."""
    if after is before:
        return Decision(outcome=before)
    return Decision(outcome=after, accounts=(after,), events=(account_event(kind, after, moment),))
