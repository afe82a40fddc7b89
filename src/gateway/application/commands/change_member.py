"""Give a member of a merchant another role."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.members import member_event, member_note, member_of, must_manage
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.audit import AuditAction
from gateway.domain.checks import check_free_text, check_id, check_type
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.limits import REASON_LENGTH_MAX
from gateway.domain.member import Member, MemberId
from gateway.domain.member_role import MemberRole
from gateway.domain.user import UserId


@immutable
class ChangeMember(Command[Member]):
    """Give a member, or an invitation, another role. `reason` is for the audit log; `actor_id` as in `InviteMember`.

    Only owners change owners and make members owners. A member who has the role stays as they are.
    Refuses: member_not_found, last_owner (for the merchant's own user), role_forbidden.
    """

    result_type: ClassVar = Member

    merchant_id: UserId
    member_id: MemberId
    role: MemberRole
    reason: str | None = None
    actor_id: UserId | None = None

    def __post_init__(self) -> None:
        check_id("merchant_id", self.merchant_id)
        check_id("member_id", self.member_id)
        check_type("role", self.role, MemberRole)
        if self.reason is not None:
            check_free_text("reason", self.reason, REASON_LENGTH_MAX, length_min=1)
        if self.actor_id is not None:
            check_id("actor_id", self.actor_id)

    @override
    def needs(self) -> Needs:
        return Needs(member_merchants=(self.merchant_id,))

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
