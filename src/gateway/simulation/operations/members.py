"""Merchants invite members, who accept, act with their roles, and are removed."""

from typing import Final

from gateway.application.commands.accept_invitation import AcceptInvitation
from gateway.application.commands.change_member import ChangeMember
from gateway.application.commands.invite_member import InviteMember
from gateway.application.commands.remove_member import RemoveMember
from gateway.domain.member import MemberId, first_owner_id
from gateway.domain.member_role import MemberRole
from gateway.domain.user import UserId
from gateway.simulation.model_records import ModelMember
from gateway.simulation.world import NOBODY, World

ROLES: Final = tuple(MemberRole)
MAILBOXES: Final = 16


def invite_member(world: World) -> InviteMember:
    """A merchant or a member of it invites somebody, perhaps a user, perhaps once more."""
    merchant = _merchant(world)
    return InviteMember(
        merchant_id=merchant,
        email=f"{world.one_of(('user', 'member'))}{world.random.randrange(MAILBOXES)}@example.com",
        role=world.one_of(ROLES),
        token_hash=world.random.randbytes(32),
        actor_id=_actor(world, merchant),
    )


def accept_invitation(world: World) -> AcceptInvitation:
    """The user with the address that was invited accepts, or a new one; seldom another user, or with another token."""
    member = _member(world)
    hash_ = world.random.randbytes(32) if member is None or member.token_hash is None else member.token_hash
    merchant, email = (_merchant(world), "nobody@example.com") if member is None else (member.merchant, member.email)
    users = [user for user, (address, _) in world.model.users.items() if address == email]
    known = bool(users) and not world.chance(10)
    user = world.one_of(users if known else world.customers)
    if not known and world.chance(80):
        world.people += 1
        return AcceptInvitation(
            merchant_id=merchant,
            email=email,
            token_hash=hash_,
            user_id=UserId(f"usr_member_{world.people}"),
            password_hash="$argon2id$",  # noqa: S106 - no hash of anything.
        )
    return AcceptInvitation(merchant_id=merchant, email=email, token_hash=hash_, user_id=user)


def change_member(world: World) -> ChangeMember:
    """Somebody gives a member another role."""
    merchant, member_id = _target(world)
    return ChangeMember(
        merchant_id=merchant, member_id=member_id, role=world.one_of(ROLES), actor_id=_actor(world, merchant)
    )


def remove_member(world: World) -> RemoveMember:
    """Somebody removes a member, perhaps themselves."""
    merchant, member_id = _target(world)
    return RemoveMember(merchant_id=merchant, member_id=member_id, actor_id=_actor(world, merchant))


def _target(world: World) -> tuple[UserId, MemberId]:
    """A merchant and a member, seldom one of another merchant, or the merchant's own user."""
    member = _member(world)
    if member is None or world.chance(5):
        merchant = _merchant(world)
        return merchant, first_owner_id(merchant)
    return _merchant(world) if world.chance(5) else member.merchant, member.id


def _merchant(world: World) -> UserId:
    """One merchant has most of the members; seldom it is a customer, or nobody."""
    if world.chance(3):
        return world.one_of((NOBODY, *world.customers))
    return world.merchants[0] if world.chance(70) else world.one_of(world.merchants)


def _actor(world: World, merchant: UserId) -> UserId | None:
    """The merchant, one of its members, somebody else, or a trusted program."""
    users = [each.user for each in _recent(world) if each.merchant == merchant and each.user is not None]
    if users and world.chance(50):
        return world.one_of(users)
    return world.one_of((merchant, merchant, None, world.one_of(world.customers)))


def _member(world: World) -> ModelMember | None:
    recent = _recent(world)
    return world.one_of(recent) if recent else None


def _recent(world: World) -> list[ModelMember]:
    return [world.model.members[each] for each in world.members[-8:]]


OPERATIONS: Final = ((1, invite_member), (1, accept_invitation), (1, change_member), (1, remove_member))
