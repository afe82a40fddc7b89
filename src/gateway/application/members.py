"""Members of merchants: invite, accept, change, remove, and act for a merchant."""

import hashlib
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.application.access.access import Access
from gateway.application.access.caller import Caller, check_caller
from gateway.application.access.passwords import check_new_password
from gateway.application.commands.accept_invitation import AcceptInvitation, invitation_not_found
from gateway.application.commands.change_member import ChangeMember
from gateway.application.commands.invite_member import InviteMember
from gateway.application.commands.remove_member import RemoveMember
from gateway.application.emails import canonical_email
from gateway.application.ports.members import MemberAtUse, StoredMembers
from gateway.application.queries import Page, check_page, page_of
from gateway.domain.audit import Origin
from gateway.domain.checks import check_id, check_text
from gateway.domain.errors import MerchantNotFound
from gateway.domain.immutable import immutable
from gateway.domain.limits import EMAIL_LENGTH_MAX, INVITATION_TOKEN_LENGTH_MAX
from gateway.domain.member import Member, MemberId, first_owner_id
from gateway.domain.member_errors import MemberNotFound
from gateway.domain.member_role import MemberRole
from gateway.domain.user import Role, User, UserId, check_profile

TOKEN_PREFIX: Final = "gi_"  # noqa: S105 - of every token.
TOKEN_BYTES: Final = 32


@immutable
class Invitation:
    """An invitation that was made just now. `token` is what the invited person accepts with; it is stored nowhere."""

    member: Member
    token: str = field(repr=False)


@immutable
class InvitationCommand:
    """A command that invites somebody, and the token of the invitation."""

    command: InviteMember
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Members:
    """Members of merchants. Commands change them; the tokens of invitations are drawn here, before a command decides.

    `actor_id` is the user who does something: the merchant's own, or one of its members, who needs a role for it.
    Without it a trusted program does it. `origin` is for the audit log; the merchant's user unless given.
    Every method raises `StorageUnavailable` when the storage is away.
    """

    access: Access
    stored: StoredMembers

    async def invite(
        self,
        *,
        merchant_id: UserId,
        email: str,
        role: MemberRole,
        actor_id: UserId | None = None,
        origin: Origin | None = None,
    ) -> Invitation:
        """Invite somebody by their e-mail address to act for a merchant. Nothing is sent: hand them the token.

        Raises:
            UserNotFound, MerchantNotFound, UserDisabled: There is no such merchant, or an operator has disabled it.
            RoleForbidden: The actor may not invite members with this role.
            MemberExists: There is a member or an invitation with this address.
            MemberLimitReached: The merchant has 100 members.
            InvalidInput: A value is not valid.
        """
        made = self.invite_command(merchant_id=merchant_id, email=email, role=role, actor_id=actor_id)
        member = await self.access.executor.execute(made.command, owner_id=merchant_id, origin=origin)
        return Invitation(member=member, token=made.token)

    def invite_command(
        self, *, merchant_id: UserId, email: str, role: MemberRole, actor_id: UserId | None = None
    ) -> InvitationCommand:
        """The command that invites somebody. Arguments are as in `invite`."""
        self.access.loop.check()
        check_text("email", email, EMAIL_LENGTH_MAX)
        token = TOKEN_PREFIX + secrets.token_hex(TOKEN_BYTES)
        command = InviteMember(
            merchant_id=merchant_id,
            email=canonical_email(email),
            role=role,
            token_hash=hash_of_token(token),
            actor_id=actor_id,
        )
        return InvitationCommand(command=command, token=token)

    async def accept(self, caller: Caller, token: str, *, origin: Origin | None = None) -> Member:
        """Accept an invitation as a user who has registered with the address that was invited.

        Raises:
            InvitationNotFound: It is not open, or for another address.
            UserDisabled: An operator has disabled the merchant.
            RoleForbidden: The caller is an operator.
        """
        self.access.loop.check()
        check_caller(caller)
        invitation = await self.invitation(token)
        command = AcceptInvitation(
            merchant_id=invitation.merchant_id,
            email=invitation.email,
            token_hash=hash_of_token(token),
            user_id=caller.actor_id,
        )
        return await self.access.executor.execute(command, owner_id=caller.actor_id, origin=origin)

    async def accept_as_new_user(
        self, token: str, *, password: str, name: str | None = None, origin: Origin | None = None
    ) -> Member:
        """Accept an invitation and register with its address: a customer without accounts.

        Raises:
            InvitationNotFound: It is not open.
            EmailTaken: There is a user with this address, who logs in and accepts it.
            UserDisabled: An operator has disabled the merchant.
            InvalidInput: The password or the name may not be chosen.
        """
        self.access.loop.check()
        check_new_password(password)
        check_profile(Role.CUSTOMER, name)
        invitation = await self.invitation(token)
        user_id = UserId(self.access.identifiers("usr"))
        command = AcceptInvitation(
            merchant_id=invitation.merchant_id,
            email=invitation.email,
            token_hash=hash_of_token(token),
            user_id=user_id,
            password_hash=await self.access.hash_new_password(password),
            name=name,
        )
        return await self.access.executor.execute(command, owner_id=user_id, origin=origin)

    async def invitation(self, token: str) -> Member:
        """The invitation of a token, if it can be accepted.

        Raises:
            InvitationNotFound: There is none, or it has expired.
        """
        self.access.loop.check()
        check_text("token", token, INVITATION_TOKEN_LENGTH_MAX)
        found = await self.stored.invitation(hash_of_token(token))
        if found is None or not found.is_open(self.access.clock()):
            raise invitation_not_found()
        return found

    async def change(
        self,
        member_id: MemberId,
        *,
        merchant_id: UserId,
        role: MemberRole,
        reason: str | None = None,
        actor_id: UserId | None = None,
        origin: Origin | None = None,
    ) -> Member:
        """Give a member another role: here from now on, in other processes within two seconds.

        Raises:
            MemberNotFound: The merchant has no such member.
            LastOwner: It is the merchant's own user.
            RoleForbidden: The actor may not do this.
        """
        self.access.loop.check()
        command = ChangeMember(
            merchant_id=merchant_id, member_id=member_id, role=role, reason=reason, actor_id=actor_id
        )
        member = await self.access.executor.execute(command, owner_id=merchant_id, origin=origin)
        self.access.renew_endings()
        return member

    async def remove(
        self,
        member_id: MemberId,
        *,
        merchant_id: UserId,
        reason: str | None = None,
        actor_id: UserId | None = None,
        origin: Origin | None = None,
    ) -> Member:
        """Remove a member, or withdraw an invitation. As `change`; members may remove themselves."""
        self.access.loop.check()
        command = RemoveMember(merchant_id=merchant_id, member_id=member_id, reason=reason, actor_id=actor_id)
        member = await self.access.executor.execute(command, owner_id=merchant_id, origin=origin)
        self.access.renew_endings()
        return member

    async def leave(self, caller: Caller, member_id: MemberId, *, origin: Origin | None = None) -> Member:
        """Let the caller no longer act for a merchant. Any role allows it.

        Raises:
            MemberNotFound: The caller is no such member.
        """
        self.access.loop.check()
        check_caller(caller)
        check_id("member_id", member_id)
        found = await self.stored.member(member_id)
        if found is None or found.user_id != caller.actor_id:
            raise MemberNotFound("There is no such member.")
        return await self.remove(member_id, merchant_id=found.merchant_id, actor_id=caller.actor_id, origin=origin)

    def act_for(self, caller: Caller, merchant_id: UserId) -> Coroutine[Any, Any, Caller]:
        """The caller as a member of a merchant: what they ask for is the merchant's, as far as their role reaches.

        Every process notices a change of the member within two seconds.

        Raises:
            NotAMember: They are no member of it, or use an API key: a key acts for its owner alone.
            UserDisabled: An operator has disabled the merchant.
        """
        return self.access.act_for(caller, merchant_id)

    async def member(self, merchant_id: UserId, member_id: MemberId) -> Member:
        """One member of a merchant, or an invitation.

        Raises:
            MemberNotFound: The merchant has no such member.
        """
        self.access.loop.check()
        check_id("merchant_id", merchant_id)
        check_id("member_id", member_id)
        if member_id == first_owner_id(merchant_id):
            return await self._first_owner(merchant_id)
        found = await self.stored.member(member_id)
        if found is None or found.merchant_id != merchant_id:
            raise MemberNotFound("There is no such member.")
        return found

    async def members(self, merchant_id: UserId, *, before: MemberId | None, limit: int) -> Page[Member]:
        """The members of a merchant, newest first, with its invitations. Its own user is the last one.

        Raises:
            UserNotFound, MerchantNotFound: There is no such merchant.
        """
        self.access.loop.check()
        check_id("merchant_id", merchant_id)
        check_page(before, limit)
        first = await self._first_owner(merchant_id)
        if before == first.id:
            return Page(items=[], next_before=None)
        found = [*await self.stored.members(merchant_id, before=before, limit=limit + 1)]
        return page_of([*found, first] if len(found) <= limit else found, limit)

    async def memberships(self, caller: Caller, *, before: MemberId | None, limit: int) -> Page[MemberAtUse]:
        """The merchants that the caller acts for as a member, newest first."""
        self.access.loop.check()
        check_caller(caller)
        check_page(before, limit)
        found = await self.stored.memberships(caller.actor_id, before=before, limit=limit + 1)
        return page_of(found, limit)

    async def _first_owner(self, merchant_id: UserId) -> Member:
        user = await self.access.user(merchant_id)
        if user.role is not Role.MERCHANT:
            raise MerchantNotFound("There is no such merchant.")
        return first_owner(user)


def first_owner(merchant: User) -> Member:
    """A merchant's own user as a member: its first owner."""
    return Member(
        id=first_owner_id(merchant.id),
        merchant_id=merchant.id,
        email=merchant.email,
        role=MemberRole.OWNER,
        user_id=merchant.id,
        invited_by=merchant.id,
        token_hash=None,
        created_at=merchant.created_at,
        expires_at=None,
        joined_at=merchant.created_at,
        changed_at=merchant.created_at,
    )


def hash_of_token(token: str) -> bytes:
    """The hash under which the token of an invitation is stored."""
    return hashlib.sha256(token.encode()).digest()
