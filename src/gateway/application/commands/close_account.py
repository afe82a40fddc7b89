"""Close an account."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.accounts import status_changed, users_account
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.account import Account, AccountId, AccountStatus
from gateway.domain.checks import check_id, check_reason
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.transfer import must_pay
from gateway.domain.user import UserId


@immutable
class CloseAccount(Command[Account]):
    """Close an empty account for ever: it neither pays nor receives. A closed one is not changed.

    `owner_id` is the owner that the account must have; `None` allows any user's account, for operators. Owners cannot
    close a frozen account.
    Refuses: account_not_found, account_not_empty, account_frozen, user_disabled.
    """

    result_type: ClassVar = Account

    account_id: AccountId
    owner_id: UserId | None
    reason: str | None = None

    def __post_init__(self) -> None:
        check_id("account_id", self.account_id)
        if self.owner_id is not None:
            check_id("owner_id", self.owner_id)
        check_reason(self.reason)

    @override
    def needs(self) -> Needs:
        return Needs(account_ids=(self.account_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Account]:
        account = users_account(ledger, self.account_id, self.owner_id)
        if self.owner_id is not None and account.status is not AccountStatus.CLOSED:
            must_pay(account)  # A frozen or suspended account is closed by operators alone.
        return status_changed(account, account.closed(), EventType.ACCOUNT_CLOSED, moment, reason=self.reason)
