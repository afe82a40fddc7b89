"""Disable and enable a user, and end all of their sessions: what operators do when something is wrong."""

from typing_extensions import override

from gateway.application.commands.shared.users import UserAction, user_decision
from gateway.application.engine.command import Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.domain.account import Account
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.user_with_accounts import UserWithAccounts


@immutable
class DisableUser(UserAction):
    """Keep a user out, and suspend their accounts: nothing new begins on these, and what was begun ends.

    All sessions of the user end; access tokens and API keys are refused within seconds. A disabled user stays as they
    are.
    Refuses: user_not_found.
    """

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[UserWithAccounts]:
        before = ledger.user(self.user_id)
        return user_decision(
            before,
            before.disabled(moment.now),
            ledger,
            moment,
            change=Account.suspended,
            kinds=(EventType.USER_DISABLED, EventType.ACCOUNT_SUSPENDED),
            reason=self.reason,
            ends_sessions=True,
        )


@immutable
class EnableUser(UserAction):
    """Let a disabled user in again, and resume their accounts. A user who is not disabled stays as they are.

    Refuses: user_not_found.
    """

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[UserWithAccounts]:
        before = ledger.user(self.user_id)
        return user_decision(
            before,
            before.enabled(),
            ledger,
            moment,
            change=Account.resumed,
            kinds=(EventType.USER_ENABLED, EventType.ACCOUNT_RESUMED),
            reason=self.reason,
        )
