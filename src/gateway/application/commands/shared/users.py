"""What the commands of operators on users share."""

from collections.abc import Callable
from operator import attrgetter
from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.accounts import account_event
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.batch_records import EndedSessions
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.account import Account
from gateway.domain.audit import AuditAction, AuditNote
from gateway.domain.checks import check_free_text, check_id
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.limits import REASON_LENGTH_MAX
from gateway.domain.user import User, UserId
from gateway.domain.user_with_accounts import UserWithAccounts


@immutable
class UserAction(Command[UserWithAccounts]):
    """What an operator does with a user, and why. The user is locked, with all accounts: none is opened meanwhile."""

    result_type: ClassVar = UserWithAccounts

    user_id: UserId
    reason: str

    def __post_init__(self) -> None:
        check_id("user_id", self.user_id)
        check_free_text("reason", self.reason, REASON_LENGTH_MAX, length_min=1)

    @override
    def needs(self) -> Needs:
        return Needs(users=(self.user_id,), account_owners=(self.user_id,))


def user_decision(
    before: User,
    after: User,
    ledger: LedgerView,
    moment: Moment,
    *,
    change: Callable[[Account], Account],
    kinds: tuple[EventType, EventType],
    reason: str,
    ends_sessions: bool = False,
) -> Decision[UserWithAccounts]:
    """The decision that a user and all of their accounts change; without records if the user is unchanged.

    Args:
        before: The user as they are.
        after: The user as they become.
        ledger: Has all of their accounts.
        moment: Of the decision.
        change: Of each account.
        kinds: The events of the user and of each account that changes.
        reason: Of the operator.
        ends_sessions: Whether all sessions of the user end.
    """
    accounts = ledger.accounts_of(before.id)
    if after is before:
        return Decision(outcome=UserWithAccounts(user=before, accounts=tuple(accounts)))
    user_kind, account_kind = kinds
    changed = [change(account) for account in accounts]
    shown = UserWithAccounts(user=after, accounts=tuple(changed))
    differing = [now for was, now in zip(accounts, changed, strict=True) if now is not was]
    differing.sort(key=attrgetter("key"))
    return Decision(
        outcome=shown,
        users_changed=(after,),
        sessions_ended=(EndedSessions(user_id=after.id, at=moment.now),) if ends_sessions else (),
        accounts=differing,
        events=(
            # The first version has no event: users register without one.
            moment.event(user_kind, shown, parties=shown, sequence=after.version - 1),
            *(account_event(account_kind, account, moment) for account in differing),
        ),
        notes=(
            AuditNote(
                action=AuditAction(user_kind.value),
                object_id=after.id,
                owner_id=after.id,
                reason=reason,
                before={"status": before.status.value},
                after={"status": after.status.value, "accounts": len(differing)},
            ),
        ),
    )
