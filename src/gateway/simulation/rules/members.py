"""Members of merchants: who invites whom, who accepts, who changes and removes whom, and that an owner stays."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from gateway.application.commands.accept_invitation import AcceptInvitation
from gateway.application.commands.change_member import ChangeMember
from gateway.application.commands.invite_member import InviteMember
from gateway.application.commands.remove_member import RemoveMember
from gateway.domain.member import MemberId
from gateway.domain.user import UserId
from gateway.simulation.effect import Effect
from gateway.simulation.model import Model, Refused, Rules
from gateway.simulation.model_records import ModelMember

MEMBERS_MAX: Final = 100
"""The number of members and invitations of a merchant, with those removed during the last day."""
A_DAY: Final = timedelta(days=1)
A_WEEK: Final = timedelta(days=7)


def invite(model: Model, command: InviteMember, now: datetime) -> Effect:
    """Invite somebody who is neither a member nor invited, for a week."""
    if command.merchant_id not in model.users:
        raise Refused("user_not_found")
    email, role = model.users[command.merchant_id]
    if role != "merchant":
        raise Refused("merchant_not_found")
    if model.disabled.get(command.merchant_id, False):
        raise Refused("user_disabled")
    _must_manage(model, command.actor_id, command.merchant_id, command.role.value)
    if command.email in {email, *(each.email for each in _present(model, command.merchant_id))}:
        raise Refused("member_exists")
    return Effect(
        members_deleted=_room(model, command.merchant_id, now),
        member=ModelMember(
            merchant=command.merchant_id,
            email=command.email,
            role=command.role.value,
            inviter=command.merchant_id if command.actor_id is None else command.actor_id,
            token_hash=command.token_hash,
            created_at=now,
            expires_at=now + A_WEEK,
        ),
        recorded="member.invited",
        events=("member.added",),
    )


def accept(model: Model, command: AcceptInvitation, now: datetime) -> Effect:
    """Accept an invitation with its token, once, in time, and with the address that was invited."""
    open_ones = [
        each
        for each in _present(model, command.merchant_id)
        if each.token_hash == command.token_hash and each.email == command.email and now < (each.expires_at or now)
    ]
    if not open_ones:
        raise Refused("invitation_not_found")
    if model.disabled.get(command.merchant_id, False):
        raise Refused("user_disabled")
    new = command.password_hash is not None
    if new:
        if command.email in model.emails:
            raise Refused("email_taken")
        if command.user_id in model.user_ids:
            raise Refused("user_exists")
    else:
        _must_be_invited(model, command)
    before = open_ones[0]
    after = replace(before, user=command.user_id, token_hash=None, expires_at=None, joined_at=now, told=before.told + 1)
    return Effect(
        member=after,
        email=command.email if new else "",
        user_id=command.user_id if new else None,
        role="customer" if new else "",
        recorded="member.joined",
        events=("member.changed",),
    )


def change(model: Model, command: ChangeMember, now: datetime) -> Effect:
    """Give a member another role. A member who has it stays unchanged."""
    before = _member(model, command.merchant_id, command.member_id)
    _must_manage(model, command.actor_id, command.merchant_id, before.role, command.role.value)
    if before.role == command.role.value:
        return Effect(told=before)
    after = replace(before, role=command.role.value, told=before.told + 1)
    return Effect(member=after, recorded="member.changed", events=("member.changed",))


def remove(model: Model, command: RemoveMember, now: datetime) -> Effect:
    """Remove a member or an invitation. Members may always remove themselves."""
    before = _member(model, command.merchant_id, command.member_id)
    if before.user is None or before.user != command.actor_id:
        _must_manage(model, command.actor_id, command.merchant_id, before.role)
    after = replace(before, token_hash=None, removed_at=now, told=before.told + 1)
    return Effect(member=after, recorded="member.removed", events=("member.removed",))


def _must_be_invited(model: Model, command: AcceptInvitation) -> None:
    """Check that a user who has registered may accept an invitation for this address."""
    if command.user_id not in model.users:
        raise Refused("user_not_found")
    email, role = model.users[command.user_id]
    if role == "operator":
        raise Refused("role_forbidden")
    if model.disabled.get(command.user_id, False):
        raise Refused("user_disabled")
    if email != command.email:
        raise Refused("invitation_not_found")


def _member(model: Model, merchant: UserId, member_id: MemberId) -> ModelMember:
    if member_id == f"mem_{merchant}":
        raise Refused("last_owner")
    found = model.members.get(member_id)
    if found is None or found.merchant != merchant or found.deleted or found.removed_at is not None:
        raise Refused("member_not_found")
    return found


def _must_manage(model: Model, actor: UserId | None, merchant: UserId, *roles: str) -> None:
    """Owners manage everybody, admins everybody but owners."""
    if actor in {None, merchant}:
        return
    held = {each.role for each in _present(model, merchant) if each.user == actor}
    if not held & ({"owner"} if "owner" in roles else {"owner", "admin"}):
        raise Refused("role_forbidden")


def _present(model: Model, merchant: UserId) -> list[ModelMember]:
    return [each for each in _stored(model, merchant) if each.removed_at is None]


def _stored(model: Model, merchant: UserId) -> list[ModelMember]:
    return [each for each in model.members.values() if each.merchant == merchant and not each.deleted]


def _room(model: Model, merchant: UserId, now: datetime) -> tuple[ModelMember, ...]:
    """The members who are deleted for a new one: those removed more than a day ago, the first of them first."""
    stored = _stored(model, merchant)
    too_many = len(stored) - MEMBERS_MAX + 1
    old = [(at, each.id, each) for each in stored if (at := each.removed_at) is not None and at < now - A_DAY]
    if too_many > len(old):
        raise Refused("member_limit_reached")
    return tuple(replace(each, deleted=True) for *_, each in sorted(old, key=lambda one: one[:2])[: max(too_many, 0)])


RULES: Final[Rules] = {InviteMember: invite, AcceptInvitation: accept, ChangeMember: change, RemoveMember: remove}
