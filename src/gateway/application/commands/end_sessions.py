"""End all sessions of a user."""

from typing_extensions import override

from gateway.application.commands.shared.users import UserAction
from gateway.application.engine.command import Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.batch_records import EndedSessions
from gateway.domain.audit import AuditAction, AuditNote
from gateway.domain.immutable import immutable
from gateway.domain.user_with_accounts import UserWithAccounts


@immutable
class EndSessions(UserAction):
    """End all sessions of a user, who may log in again. Access tokens are refused within seconds.

    Refuses: user_not_found.
    """

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[UserWithAccounts]:
        user = ledger.user(self.user_id)
        return Decision(
            outcome=UserWithAccounts(user=user, accounts=tuple(ledger.accounts_of(user.id))),
            sessions_ended=(EndedSessions(user_id=user.id, at=moment.now),),
            notes=(
                AuditNote(action=AuditAction.SESSIONS_ENDED, object_id=user.id, owner_id=user.id, reason=self.reason),
            ),
        )
