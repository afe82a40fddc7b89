"""End all sessions of a user."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.users import users_needs
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import EndedSessions, Needs
from gateway.domain.audit import AuditAction, AuditNote
from gateway.domain.checks import check_free_text, check_id
from gateway.domain.immutable import immutable
from gateway.domain.limits import REASON_LENGTH_MAX
from gateway.domain.user import UserId
from gateway.domain.user_with_accounts import UserWithAccounts


@immutable
class EndSessions(Command[UserWithAccounts]):
    """End all sessions of a user, who may log in again. Access tokens are refused within seconds.

    Refuses: user_not_found.
    """

    result_type: ClassVar = UserWithAccounts

    user_id: UserId
    reason: str

    def __post_init__(self) -> None:
        check_id("user_id", self.user_id)
        check_free_text("reason", self.reason, REASON_LENGTH_MAX, length_min=1)

    @override
    def needs(self) -> Needs:
        return users_needs(self.user_id)

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[UserWithAccounts]:
        user = ledger.user(self.user_id)
        return Decision(
            outcome=UserWithAccounts(user=user, accounts=tuple(ledger.accounts_of(user.id))),
            sessions_ended=(EndedSessions(user_id=user.id, at=moment.now),),
            notes=(AuditNote(action=AuditAction.SESSIONS_ENDED, object_id=user.id, reason=self.reason),),
        )
