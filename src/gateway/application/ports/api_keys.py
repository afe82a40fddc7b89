"""API keys, as they were committed. Commands create and change them, in a unit of work."""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Protocol

from gateway.domain.api_key import ApiKey, ApiKeyId
from gateway.domain.immutable import immutable
from gateway.domain.user import UserId


@immutable
class KeyAtUse:
    """A key, and whether its owner is disabled."""

    key: ApiKey
    owner_is_disabled: bool


class StoredApiKeys(Protocol):
    """Look-ups of API keys, and the times of their uses. All methods raise `StorageUnavailable`."""

    async def key(self, key_id: ApiKeyId) -> ApiKey | None:
        """The key with this id."""
        ...

    async def keys(self, owner_id: UserId | None, *, before: ApiKeyId | None, limit: int) -> Sequence[ApiKey]:
        """The keys of an owner, or of all owners if it is `None`, newest first, ended ones too.

        Args:
            owner_id: The owner.
            before: The id of the last key of the page before.
            limit: How many keys at most.
        """
        ...

    async def at_use(self, key_ids: Collection[ApiKeyId]) -> Mapping[ApiKeyId, KeyAtUse]:
        """The keys with these ids whose owner is a user with the role that the key names, in one read."""
        ...

    async def ended_since(self, since: datetime, *, now: datetime) -> AbstractSet[ApiKeyId]:
        """The keys that were revoked at or after `since`, and the replaced keys that have expired from then to `now`.

        Keys that expire as they were made to are left out: a process that has read a key knows when it expires.
        """
        ...

    async def note_uses(self, uses: Mapping[ApiKeyId, datetime]) -> None:
        """Store when keys were last used, unless a later use is stored. Unknown keys are left out."""
        ...
