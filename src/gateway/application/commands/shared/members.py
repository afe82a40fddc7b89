"""What the commands on members share."""

from datetime import timedelta
from typing import ClassVar

from typing_extensions import override

from gateway.application.engine.command import Command, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.errors import RoleForbidden
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.audit import AuditAction, AuditNote
from gateway.domain.checks import check_free_text, check_id
from gateway.domain.event import Event
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.limits import MEMBER_REMOVED_SECONDS, MEMBERS_PER_MERCHANT_MAX, REASON_LENGTH_MAX
from gateway.domain.member import Member, MemberId, first_owner_id
from gateway.domain.member_errors import LastOwner, MemberLimitReached, MemberNotFound
from gateway.domain.member_role import ROLES_FROM, MemberRole
from gateway.domain.user import UserId


@immutable
class MemberAction(Command[Member]):
    """What is done with a member or an invitation. `reason` is for the audit log; `actor_id` as in `InviteMember`."""

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


def member_of(ledger: LedgerView, member_id: MemberId, merchant_id: UserId) -> Member:
    """The member with this id.

    Raises:
        MemberNotFound: It does not exist, was removed, or belongs to another merchant.
        LastOwner: It is the first owner, who stays.
    """
    if member_id == first_owner_id(merchant_id):
        raise LastOwner("The merchant's own user is its first owner, and stays: there is always an owner.")
    for member in ledger.members_of(merchant_id):
        if member.id == member_id and member.removed_at is None:
            return member
    raise MemberNotFound("There is no such member.")


def must_manage(ledger: LedgerView, actor_id: UserId | None, merchant_id: UserId, *roles: MemberRole) -> None:
    """Check that somebody may manage members with these roles. `None` is a trusted program, which may.

    The roles are those of now: somebody who was removed or demoted while their request was waiting is refused.

    Raises:
        RoleForbidden: They may not.
    """
    if actor_id is None or actor_id == merchant_id:
        return
    active = [each for each in ledger.members_of(merchant_id) if each.is_active and each.user_id == actor_id]
    least = MemberRole.OWNER if MemberRole.OWNER in roles else MemberRole.ADMIN
    if not active or active[0].role not in ROLES_FROM[least]:
        raise RoleForbidden(f"This is for a member who is {' or '.join(sorted(ROLES_FROM[least]))}.")


def make_room_for_member(ledger: LedgerView, merchant_id: UserId, moment: Moment) -> tuple[MemberId, ...]:
    """The members of a merchant who make room for a new one: those removed first, and long ago.

    Raises:
        MemberLimitReached: There is no room.
    """
    members = ledger.members_of(merchant_id)
    surplus = len(members) + 1 - MEMBERS_PER_MERCHANT_MAX
    if surplus <= 0:
        return ()
    before = moment.now - timedelta(seconds=MEMBER_REMOVED_SECONDS)
    gone = sorted((each.removed_at, each.id) for each in members if each.removed_at is not None)
    old = [member_id for removed_at, member_id in gone if removed_at < before]
    if len(old) < surplus:
        raise MemberLimitReached(
            f"A merchant has at most {MEMBERS_PER_MERCHANT_MAX} members and invitations, with those removed a short "
            "time ago."
        )
    return tuple(old[:surplus])


def member_event(kind: EventType, member: Member, moment: Moment) -> Event:
    """An event about a member, for the merchant. It never contains the token of an invitation."""
    return moment.event(kind, member, parties=member, sequence=member.sequence)


def member_note(
    action: AuditAction, member: Member, *, before: Member | None = None, reason: str | None = None
) -> AuditNote:
    """What the audit log records of a member: of which merchant, who and with which role. Never the e-mail address."""
    return AuditNote(
        action=action,
        object_id=member.id,
        owner_id=member.merchant_id,
        reason=reason,
        before={} if before is None else {"role": before.role.value, "status": before.status.value},
        after={
            "merchant_id": member.merchant_id,
            "user_id": member.user_id,
            "role": member.role.value,
            "status": member.status.value,
        },
    )
