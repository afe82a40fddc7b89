"""Remove a member of a merchant, or withdraw an invitation."""

from typing_extensions import override

from gateway.application.commands.shared.members import MemberAction, member_event, member_note, member_of, must_manage
from gateway.application.engine.command import Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.domain.audit import AuditAction
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.member import Member


@immutable
class RemoveMember(MemberAction):
    """Let a member not act for the merchant any more, or withdraw an invitation.

    Members of every role may remove themselves. The result is the member as they were removed.
    Refuses: member_not_found, last_owner (for the merchant's own user), role_forbidden.
    """

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Member]:
        before = member_of(ledger, self.member_id, self.merchant_id)
        if before.user_id is None or before.user_id != self.actor_id:
            must_manage(ledger, self.actor_id, self.merchant_id, before.role)
        member = before.removed(now=moment.now)
        return Decision(
            outcome=member,
            members=(member,),
            events=(member_event(EventType.MEMBER_REMOVED, member, moment),),
            notes=(member_note(AuditAction.MEMBER_REMOVED, member, before=before, reason=self.reason),),
        )
