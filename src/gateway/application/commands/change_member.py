"""Give a member of a merchant another role."""

from typing_extensions import override

from gateway.application.commands.shared.members import MemberAction, member_event, member_note, member_of, must_manage
from gateway.application.engine.command import Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.domain.audit import AuditAction
from gateway.domain.checks import check_type
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.member import Member
from gateway.domain.member_role import MemberRole


@immutable
class ChangeMember(MemberAction):
    """Give a member, or an invitation, another role.

    Only owners change owners and make members owners. A member who has the role stays as they are.
    Refuses: member_not_found, last_owner (for the merchant's own user), role_forbidden.
    """

    role: MemberRole

    def __post_init__(self) -> None:
        MemberAction.__post_init__(self)  # `super()` does not find classes with slots.
        check_type("role", self.role, MemberRole)

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Member]:
        before = member_of(ledger, self.member_id, self.merchant_id)
        must_manage(ledger, self.actor_id, self.merchant_id, before.role, self.role)
        member = before.with_role(self.role, now=moment.now)
        if member is before:
            return Decision(outcome=before)
        return Decision(
            outcome=member,
            members=(member,),
            events=(member_event(EventType.MEMBER_CHANGED, member, moment),),
            notes=(member_note(AuditAction.MEMBER_CHANGED, member, before=before, reason=self.reason),),
        )
