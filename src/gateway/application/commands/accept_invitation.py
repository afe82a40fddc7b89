"""Accept the invitation to act for a merchant."""

from dataclasses import field
from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.members import member_event, member_note
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.errors import RoleForbidden
from gateway.application.ports.batch_records import NewUser
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.account import check_user_id
from gateway.domain.audit import AuditAction
from gateway.domain.checks import check_id, check_text
from gateway.domain.errors import UserDisabled
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.limits import EMAIL_LENGTH_MAX, PASSWORD_HASH_LENGTH_MAX
from gateway.domain.member import Member, check_token_hash
from gateway.domain.member_errors import InvitationNotFound
from gateway.domain.user import Role, User, UserId, check_profile, normal_email


@immutable
class AcceptInvitation(Command[Member]):
    """Let a user act for a merchant who has invited them. The invitation can be accepted once.

    With `password_hash` they are a new user, with the address that was invited and with `name`: a customer without
    accounts. Without it, they are a user who has registered with that address, and no operator.
    `email` is the address of the invitation.
    Refuses: invitation_not_found, user_not_found, user_disabled (the user or the merchant), role_forbidden; for a new
    user also email_taken and user_exists.
    """

    result_type: ClassVar = Member

    merchant_id: UserId
    email: str
    token_hash: bytes = field(repr=False)
    user_id: UserId
    password_hash: str | None = field(default=None, repr=False)
    name: str | None = None

    def __post_init__(self) -> None:
        check_id("merchant_id", self.merchant_id)
        check_text("email", self.email, EMAIL_LENGTH_MAX)
        check_token_hash(self.token_hash)
        check_user_id("user_id", self.user_id)
        if self.password_hash is not None:
            check_text("password_hash", self.password_hash, PASSWORD_HASH_LENGTH_MAX)
        check_profile(Role.CUSTOMER, self.name)

    @override
    def needs(self) -> Needs:
        """A new user's address and id must be free."""
        merchants = (self.merchant_id,)
        if self.password_hash is None:
            return Needs(users=(self.merchant_id, self.user_id), member_merchants=merchants)
        return Needs(users=merchants, member_merchants=merchants, emails=(self.email,), user_ids=(self.user_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Member]:
        before = self._invitation(ledger, moment)
        ledger.must_not_be_disabled(self.merchant_id)
        users: tuple[NewUser, ...] = ()
        if self.password_hash is None:
            self._check_user(ledger.user(self.user_id))
        else:
            ledger.must_be_unregistered(self.email, self.user_id)
            user = User(id=self.user_id, email=self.email, role=Role.CUSTOMER, name=self.name, created_at=moment.now)
            users = (NewUser(user=user, password_hash=self.password_hash),)
        member = before.joined(self.user_id, now=moment.now)
        return Decision(
            outcome=member,
            users=users,
            members=(member,),
            events=(member_event(EventType.MEMBER_CHANGED, member, moment),),
            notes=(member_note(AuditAction.MEMBER_JOINED, member, before=before),),
        )

    def _invitation(self, ledger: LedgerView, moment: Moment) -> Member:
        for member in ledger.members_of(self.merchant_id):
            if member.token_hash == self.token_hash and member.email == self.email and member.is_open(moment.now):
                return member
        raise invitation_not_found()

    def _check_user(self, user: User) -> None:
        if user.role is Role.OPERATOR:
            raise RoleForbidden("An operator is no member of a merchant.")
        if user.disabled_at is not None:
            raise UserDisabled("The user is disabled.")
        if self.email not in (user.email, normal_email(user.email)):
            raise invitation_not_found()


def invitation_not_found() -> InvitationNotFound:
    """The refusal of a token without an open invitation, in the same words for all reasons."""
    return InvitationNotFound("There is no open invitation with this token for your e-mail address.")
