"""Remove a member of a merchant, or withdraw an invitation."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.members import member_event, member_note, member_of, must_manage
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.audit import AuditAction
from gateway.domain.checks import check_free_text, check_id
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.limits import REASON_LENGTH_MAX
from gateway.domain.member import Member, MemberId
from gateway.domain.user import UserId


@immutable
class RemoveMember(Command[Member]):
    """Let a member not act for the merchant any more, or withdraw an invitation. Fields are as in `ChangeMember`.

    Members of every role may remove themselves. The result is the member as they were removed.
    Refuses: member_not_found, last_owner (for the merchant's own user), role_forbidden.
    """

    result_type: ClassVar = Member

    merchant_id: UserId
    member_id: MemberId
    reason: str | None = None
    actor_id: UserId | None = None

    def __post_init__(self) -> None:
        check_id("merchant_id", self.merchant_id)
        check_id("member_id", self.member_id)
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
        if before.user_id is None or before.user_id != self.actor_id:
            must_manage(ledger, self.actor_id, self.merchant_id, before.role)
        member = before.removed(now=moment.now)
        return Decision(
            outcome=member,
            members=(member,),
            events=(member_event(EventType.MEMBER_REMOVED, member, moment),),
            notes=(member_note(AuditAction.MEMBER_REMOVED, member, before=before, reason=self.reason),),
        )
