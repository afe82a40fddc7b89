"""Invite somebody to act for a merchant."""

from dataclasses import field
from datetime import timedelta
from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.members import make_room_for_member, member_event, member_note, must_manage
from gateway.application.emails import canonical_email
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.audit import AuditAction
from gateway.domain.checks import check_id, check_text, check_type
from gateway.domain.errors import MerchantNotFound, UserDisabled, invalid
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.limits import EMAIL_LENGTH_MAX, INVITATION_SECONDS
from gateway.domain.member import Member, MemberId, check_token_hash
from gateway.domain.member_errors import MemberExists
from gateway.domain.member_role import MemberRole
from gateway.domain.user import Role, UserId


@immutable
class InviteMember(Command[Member]):
    """Invite the person with an e-mail address to act for a merchant, with a role. The invitation ends after a week.

    `email` is canonical. `token_hash` is of a new token: `application/members.py` makes one. `actor_id` is the user who
    invites: the merchant's own, or a member who is an owner, or an admin if the role is not `owner`; `None` for a
    trusted program. The answer is the same whether anybody has registered with the address.
    Refuses: user_not_found, merchant_not_found, user_disabled, role_forbidden, member_exists, member_limit_reached.

    Raises:
        InvalidInput: `email` is no address, or is not canonical.
    """

    result_type: ClassVar = Member

    merchant_id: UserId
    email: str
    role: MemberRole
    token_hash: bytes = field(repr=False)
    actor_id: UserId | None = None

    def __post_init__(self) -> None:
        check_id("merchant_id", self.merchant_id)
        check_text("email", self.email, EMAIL_LENGTH_MAX)
        check_type("role", self.role, MemberRole)
        check_token_hash(self.token_hash)
        if self.actor_id is not None:
            check_id("actor_id", self.actor_id)
        if canonical_email(self.email) != self.email:
            raise invalid("email", "email_invalid", "Give the canonical spelling of the e-mail address.")

    @override
    def needs(self) -> Needs:
        return Needs(users=(self.merchant_id,), member_merchants=(self.merchant_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Member]:
        merchant = ledger.user(self.merchant_id)
        if merchant.role is not Role.MERCHANT:
            raise MerchantNotFound("There is no such merchant.")
        if merchant.disabled_at is not None:
            raise UserDisabled("The merchant is disabled.")
        must_manage(ledger, self.actor_id, self.merchant_id, self.role)
        taken = {each.email for each in ledger.members_of(self.merchant_id) if each.removed_at is None}
        if self.email in taken | {merchant.email}:
            raise MemberExists("There is a member or an invitation with this e-mail address. Remove it first.")
        deleted = make_room_for_member(ledger, self.merchant_id, moment)
        member = Member(
            id=MemberId(moment.new_id("mem")),
            merchant_id=self.merchant_id,
            email=self.email,
            role=self.role,
            user_id=None,
            invited_by=self.actor_id or self.merchant_id,
            token_hash=self.token_hash,
            created_at=moment.now,
            expires_at=moment.now + timedelta(seconds=INVITATION_SECONDS),
            joined_at=None,
            changed_at=moment.now,
        )
        return Decision(
            outcome=member,
            members=(member,),
            members_deleted=deleted,
            events=(member_event(EventType.MEMBER_ADDED, member, moment),),
            notes=(member_note(AuditAction.MEMBER_INVITED, member),),
        )
