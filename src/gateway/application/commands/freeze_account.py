"""Freeze and unfreeze an account."""

from dataclasses import field
from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.accounts import status_changed, users_account
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.account import Account, AccountId
from gateway.domain.checks import check_id, check_reason
from gateway.domain.event_type import EventType
from gateway.domain.immutable import ADDED_LATER, immutable


@immutable
class FreezeAccount(Command[Account]):
    """Stop an account from paying; it can still receive. A frozen one is not changed. Refuses: account_not_found."""

    result_type: ClassVar = Account

    account_id: AccountId
    reason: str | None = field(default=None, metadata=ADDED_LATER)

    def __post_init__(self) -> None:
        check_id("account_id", self.account_id)
        check_reason(self.reason)

    @override
    def needs(self) -> Needs:
        return Needs(account_ids=(self.account_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Account]:
        account = users_account(ledger, self.account_id)
        return status_changed(account, account.frozen(), EventType.ACCOUNT_FROZEN, moment, reason=self.reason)


@immutable
class UnfreezeAccount(Command[Account]):
    """Let a frozen account pay again. An open account is not changed. Refuses: account_not_found."""

    result_type: ClassVar = Account

    account_id: AccountId
    reason: str | None = field(default=None, metadata=ADDED_LATER)

    def __post_init__(self) -> None:
        check_id("account_id", self.account_id)
        check_reason(self.reason)

    @override
    def needs(self) -> Needs:
        return Needs(account_ids=(self.account_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Account]:
        account = users_account(ledger, self.account_id)
        return status_changed(account, account.unfrozen(), EventType.ACCOUNT_UNFROZEN, moment, reason=self.reason)
