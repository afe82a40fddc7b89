"""API keys in a dictionary."""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.application.ports.api_keys import KeyAtUse, StoredApiKeys
from gateway.domain.api_key import ApiKey, ApiKeyId
from gateway.domain.user import UserId


class MemoryApiKeys(StoredApiKeys):
    """See the port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    @override
    async def key(self, key_id: ApiKeyId) -> ApiKey | None:
        return self._database.api_keys.get(key_id)

    @override
    async def keys(self, owner_id: UserId | None, *, before: ApiKeyId | None, limit: int) -> Sequence[ApiKey]:
        keys = self._database.api_keys
        found = [
            keys[key_id]
            for key_id in sorted(keys, reverse=True)
            if owner_id in (None, keys[key_id].owner_id) and (before is None or key_id < before)
        ]
        return found[:limit]

    @override
    async def at_use(self, key_ids: Collection[ApiKeyId]) -> Mapping[ApiKeyId, KeyAtUse]:
        keys, users = self._database.api_keys, self._database.users
        found: dict[ApiKeyId, KeyAtUse] = {}
        for key in (keys[key_id] for key_id in key_ids if key_id in keys):
            owner = users.get(key.owner_id)
            if owner is not None and owner.user.role is key.owner_role:
                found[key.id] = KeyAtUse(key=key, owner_is_disabled=owner.user.disabled_at is not None)
        return found

    @override
    async def ended_since(self, since: datetime, *, now: datetime) -> AbstractSet[ApiKeyId]:
        return {
            key.id
            for key in self._database.api_keys.values()
            if (key.revoked_at is not None and key.revoked_at >= since)
            or (key.replaced_by is not None and key.expires_at is not None and since <= key.expires_at <= now)
        }

    @override
    async def note_uses(self, uses: Mapping[ApiKeyId, datetime]) -> None:
        keys = self._database.api_keys
        for key_id, at in uses.items():
            key = keys.get(key_id)
            if key is not None and (key.last_used_at is None or key.last_used_at < at):
                keys[key_id] = replace(key, last_used_at=at)
