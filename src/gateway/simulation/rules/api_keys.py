"""API keys: who may have how many, when they end, what replaces them, who is told."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from gateway.application.commands.create_api_key import CreateApiKey
from gateway.application.commands.revoke_api_key import RevokeApiKey
from gateway.application.commands.rotate_api_key import RotateApiKey
from gateway.domain.user import UserId
from gateway.simulation.effect import Effect
from gateway.simulation.model import Model, Refused, Rules
from gateway.simulation.model_records import ModelKey

KEYS_MAX: Final = 100
"""The number of keys that an owner may have, with those that ended during the last day."""
LIFETIME_MAX: Final = timedelta(days=3_660)
A_DAY: Final = timedelta(days=1)


def create(model: Model, command: CreateApiKey, now: datetime) -> Effect:
    """Create a key that expires in the future, or never."""
    if command.owner_id not in model.user_ids:
        raise Refused("user_not_found")
    if command.expires_at is not None and (command.expires_at <= now or command.expires_at - now > LIFETIME_MAX):
        raise Refused("validation_error")
    return Effect(
        keys_deleted=_room(model, command.owner_id, now),
        key=ModelKey(
            owner=command.owner_id,
            role=command.owner_role.value,
            name=command.name,
            scopes=frozenset(each.value for each in command.scopes),
            secret_hash=command.secret_hash,
            created_at=now,
            expires_at=command.expires_at,
            requests_per_minute=command.requests_per_minute,
        ),
        recorded="api_key.created",
        events=("api_key.created",),
    )


def revoke(model: Model, command: RevokeApiKey, now: datetime) -> Effect:
    """Revoke a key. One that was revoked stays as it is."""
    before = model.api_key(command.key_id, command.owner_id)
    if before.revoked_at is not None:
        return Effect(told=before)
    after = replace(before, revoked_at=now, told=before.told + 1)
    return Effect(key=after, recorded="api_key.revoked", events=("api_key.revoked",))


def rotate(model: Model, command: RotateApiKey, now: datetime) -> Effect:
    """Replace a key that is accepted, once. It ends after the chosen time, or as it was made to."""
    before = model.api_key(command.key_id, command.owner_id)
    ends = before.ends()
    if before.revoked_at is not None or before.replaced_by is not None or (ends is not None and ends <= now):
        raise Refused("api_key_ended")
    until = now + timedelta(seconds=command.old_key_seconds)
    after = replace(before, told=before.told + 1)
    if until == now:
        after = replace(after, revoked_at=now)
    elif before.expires_at is None or until < before.expires_at:
        after = replace(after, expires_at=until)
    lifetime = None if before.expires_at is None else before.expires_at - before.created_at
    limit = before.requests_per_minute if command.requests_per_minute is None else command.requests_per_minute
    return Effect(
        keys_deleted=_room(model, before.owner, now),
        old_key=after,
        key=ModelKey(
            owner=before.owner,
            role=before.role,
            name=before.name,
            scopes=before.scopes,
            secret_hash=command.secret_hash,
            created_at=now,
            expires_at=None if lifetime is None else now + lifetime,
            requests_per_minute=limit if limit != 0 else None,
        ),
        recorded="api_key.rotated",
        events=("api_key.rotated", "api_key.created"),
    )


def _room(model: Model, owner: UserId, now: datetime) -> tuple[ModelKey, ...]:
    """The keys that are deleted for a new one: those that ended more than a day ago, the first of them first."""
    own = [each for each in model.api_keys.values() if each.owner == owner and not each.deleted]
    too_many = len(own) - KEYS_MAX + 1
    old = [(ends, each.id, each) for each in own if (ends := each.ends()) is not None and ends < now - A_DAY]
    if too_many > len(old):
        raise Refused("api_key_limit_reached")
    return tuple(replace(each, deleted=True) for *_, each in sorted(old, key=lambda one: one[:2])[: max(too_many, 0)])


RULES: Final[Rules] = {CreateApiKey: create, RevokeApiKey: revoke, RotateApiKey: rotate}
