"""Members of a merchant, as clients see them. The token of an invitation is shown when it is made, and never again."""

from typing import Annotated, Literal

import msgspec

from gateway.application.ports.members import MemberAtUse
from gateway.application.views.times import Instant
from gateway.domain.member import Member


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """A user who acts for a merchant, or an invitation, which has no `user_id` and can be accepted until `expires_at`.

    The merchant's own user is its first owner.
    """

    id: str
    object: Literal["member"] = "member"
    merchant_id: str
    email: str
    role: str
    status: str
    user_id: str | None
    invited_by: str
    created_at: Instant
    joined_at: Instant | None
    expires_at: Instant | None


class InvitedMemberView(MemberView, frozen=True, kw_only=True):
    """A member who was invited just now, with the token."""

    invitation_token: Annotated[
        str | None,
        msgspec.Meta(
            description="What the invited person accepts with. It is not stored: null where the request is repeated "
            "with the same `Idempotency-Key`."
        ),
    ]


def member_view(member: Member) -> MemberView:
    """A member as clients see them."""
    return MemberView(
        id=member.id,
        merchant_id=member.merchant_id,
        email=member.email,
        role=member.role.value,
        status=member.status.value,
        user_id=member.user_id,
        invited_by=member.invited_by,
        created_at=member.created_at,
        joined_at=member.joined_at,
        expires_at=member.expires_at,
    )


def invited_member_view(member: Member, token: str | None = None) -> InvitedMemberView:
    """A new invitation. Without `token`, as it is stored for replays."""
    return InvitedMemberView(**msgspec.structs.asdict(member_view(member)), invitation_token=token)


class MembershipView(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant that a user acts for. `id` is that of the member."""

    id: str
    object: Literal["membership"] = "membership"
    merchant_id: str
    merchant_name: str | None
    role: str
    joined_at: Instant | None


def membership_view(found: MemberAtUse) -> MembershipView:
    """A merchant as its member sees it."""
    member, merchant = found.member, found.merchant
    return MembershipView(
        id=member.id,
        merchant_id=merchant.id,
        merchant_name=merchant.name,
        role=member.role.value,
        joined_at=member.joined_at,
    )
