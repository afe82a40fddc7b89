"""Open an account."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.accounts import account_event, keys_to_open, open_missing
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.account import Account, AccountKey, check_users_account
from gateway.domain.errors import AccountExists
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable


@immutable
class OpenAccount(Command[Account]):
    """Open a user's account, and the gateway's own accounts of a new currency.

    Refuses: account_exists (also if it is closed), user_disabled.
    """

    result_type: ClassVar = Account

    key: AccountKey

    def __post_init__(self) -> None:
        check_users_account(self.key)

    @override
    def needs(self) -> Needs:
        """The account, which must not exist, its owner, and the gateway's own accounts in its currency."""
        owner_id = self.key.owner_id
        return Needs(account_keys=keys_to_open(self.key), users=(owner_id,), customers=(owner_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Account]:
        if ledger.find_account(self.key) is not None:
            raise AccountExists(f"There is an account in {self.key.currency} already.")
        ledger.must_not_be_disabled(self.key.owner_id)
        customer = ledger.find_customer(self.key.owner_id)
        managed_by = None if customer is None else customer.managed_by
        accounts = open_missing(keys_to_open(self.key), ledger, moment, managed_by=managed_by)
        return Decision(
            outcome=accounts[0],
            accounts=accounts,
            events=[account_event(EventType.ACCOUNT_OPENED, account, moment) for account in accounts],
        )
