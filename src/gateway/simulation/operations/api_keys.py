"""Users create API keys, rotate and revoke them."""

from datetime import timedelta
from typing import Final

from gateway.application.commands.create_api_key import CreateApiKey
from gateway.application.commands.revoke_api_key import RevokeApiKey
from gateway.application.commands.rotate_api_key import RotateApiKey
from gateway.domain.api_key import ApiKeyId
from gateway.domain.scope import Scope
from gateway.domain.user import Role, UserId
from gateway.simulation.world import NOBODY, World

SCOPES: Final = (
    (Scope.PAYMENTS_READ,),
    (Scope.EVENTS_READ, Scope.PAYMENTS_READ),
    (Scope.PAYOUTS_WRITE, Scope.PAYMENTS_WRITE, Scope.ACCOUNTS_READ),
)
LIFETIMES: Final = (
    None,
    None,
    timedelta(seconds=-1),
    timedelta(minutes=1),
    timedelta(days=3_660),
    timedelta(days=3_661),
)
LIMITS: Final = (None, None, 1, 60, 1_000_000)
LIMITS_AFTER: Final = (*LIMITS, 0)
"""Of a rotation. Chosen by the hash of the secret, which is as random."""
OLD_KEY_SECONDS: Final = (0, 0, 1, 60, 86_400)


def create_key(world: World) -> CreateApiKey:
    """A user creates a key. One merchant creates most of them."""
    is_customer = world.chance(20)
    owners = world.customers if is_customer else world.merchants[:1] if world.chance(80) else world.merchants
    owner = NOBODY if world.chance(3) else world.one_of(owners)
    lifetime, secret_hash = world.one_of(LIFETIMES), _fresh_hash(world)
    return CreateApiKey(
        owner_id=owner,
        owner_role=Role.CUSTOMER if is_customer else Role.MERCHANT,
        name=world.one_of(("Till", "Shop")),
        scopes=world.one_of(SCOPES),
        expires_at=None if lifetime is None else world.clock() + lifetime,
        secret_hash=secret_hash,
        last_four="abcd",
        requests_per_minute=LIMITS[secret_hash[0] % len(LIMITS)],
    )


def revoke_key(world: World) -> RevokeApiKey:
    """An owner revokes a key, perhaps once more; seldom another user tries to."""
    key_id = world.api_key()
    return RevokeApiKey(key_id=key_id, owner_id=_owner_of(world, key_id))


def rotate_key(world: World) -> RotateApiKey:
    """An owner rotates a key, perhaps one that has ended."""
    key_id = world.api_key()
    owner_id, secret_hash = _owner_of(world, key_id), _fresh_hash(world)
    return RotateApiKey(
        key_id=key_id,
        owner_id=owner_id,
        secret_hash=secret_hash,
        last_four="efgh",
        old_key_seconds=world.one_of(OLD_KEY_SECONDS),
        requests_per_minute=LIMITS_AFTER[secret_hash[0] % len(LIMITS_AFTER)],
    )


def _owner_of(world: World, key_id: ApiKeyId) -> UserId:
    key = world.model.api_keys.get(key_id)
    return world.one_of(world.merchants) if key is None or world.chance(5) else key.owner


def _fresh_hash(world: World) -> bytes:
    return world.random.randbytes(32)


OPERATIONS: Final = ((2, create_key), (1, revoke_key), (1, rotate_key))
