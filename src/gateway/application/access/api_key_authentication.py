"""ApiKeyAuthentication: whose API key it is, and whether it is still accepted."""

import hmac
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Final

from gateway.application.access.api_key_format import ApiKeyFormat, hash_of_key_secret
from gateway.application.access.api_key_uses import ApiKeyUses
from gateway.application.access.caller import Caller
from gateway.application.access.revocations import Revocations
from gateway.application.access.shared_reads import SharedReads
from gateway.application.errors import ApiKeyInvalid
from gateway.application.ports.api_keys import KeyAtUse, StoredApiKeys
from gateway.application.ports.sessions import SessionId
from gateway.domain.api_key import ApiKey, ApiKeyId
from gateway.domain.errors import UserDisabled
from gateway.domain.immutable import immutable
from gateway.domain.scope import SCOPES_OF_ROLE

KNOWN_MAX: Final = 10_000
"""How many keys are remembered with their callers. The oldest leaves first."""


@immutable
class _Known:
    """A key that was read and compared.

    Attributes:
        ends_at: When it expires, as it was read.
        read_again_at: Until then, the list of keys that have ended lately tells of every change.
    """

    key_id: ApiKeyId
    caller: Caller
    ends_at: datetime | None
    read_again_at: datetime

    def is_accepted(self, now: datetime) -> bool:
        return now < self.read_again_at and (self.ends_at is None or now < self.ends_at)


class ApiKeyAuthentication:
    """The check of API keys. A key that was read lately costs no read: `Revocations` tells which have ended since.

    Args:
        stored: The keys.
        revocations: The sessions and keys that have ended, and disabled users.
        form: How keys are written here.
        known_seconds: How long a key is remembered; no longer than `Revocations` looks back.
    """

    def __init__(
        self, stored: StoredApiKeys, revocations: Revocations, form: ApiKeyFormat, *, known_seconds: int
    ) -> None:
        revocations.keys_ended = self.ended_since
        self.uses = ApiKeyUses(stored)
        self._stored = stored
        self._revocations = revocations
        self._form = form
        self._known_time = timedelta(seconds=known_seconds)
        self._known: dict[str, _Known] = {}
        self._reads = SharedReads(self._read, "look-ups of API keys")

    async def authenticate(self, text: str, now: datetime) -> Caller:
        """The owner of a key, with its scopes.

        Raises:
            ApiKeyInvalid: It is not a key of ours, or has ended.
            UserDisabled: An operator has disabled its owner.
            Overloaded: Too many keys wait to be looked up.
            StorageUnavailable: The key is not remembered, and the storage is away.
        """
        caller = self.caller_at_once(text, now)
        if caller is not None:
            return caller
        parts = self._form.read(text)
        if parts is None or SessionId(parts.key_id) in self._revocations.session_ids:
            raise _invalid()
        found = await self._reads.find(parts.key_id)
        if found is None or not hmac.compare_digest(hash_of_key_secret(parts.secret), found.key.secret_hash):
            raise _invalid()
        key = found.key
        if key.has_ended(now):
            raise _invalid()
        # Until the key is read again, the list of disabled users tells of every change.
        if found.owner_is_disabled or key.owner_id in self._revocations.disabled:
            raise UserDisabled("An operator has disabled this user.")
        self._remember(text, key, now)
        self.uses.note(key.id, now)
        return self._known[text].caller

    def caller_at_once(self, text: str, now: datetime) -> Caller | None:
        """The owner of a key that is remembered, if it is accepted now. The list of ended keys must be fresh."""
        known = self._known.get(text)
        if known is None:
            return None
        has_ended = known.caller.session_id in self._revocations.session_ids
        if has_ended or not known.is_accepted(now) or known.caller.user_id in self._revocations.disabled:
            del self._known[text]
            return None
        self.uses.note(known.key_id, now)
        return known.caller

    async def ended_since(self, since: datetime, now: datetime) -> AbstractSet[SessionId]:
        """The ids of keys that have ended. Nothing is read as long as no key is remembered: no key was used here."""
        if not self._known:
            return frozenset()
        return {SessionId(key_id) for key_id in await self._stored.ended_since(since, now=now)}

    def _remember(self, text: str, key: ApiKey, now: datetime) -> None:
        if len(self._known) >= KNOWN_MAX and text not in self._known:
            del self._known[next(iter(self._known))]
        self._known[text] = _Known(
            key_id=key.id,
            caller=Caller(
                user_id=key.owner_id,
                role=key.owner_role,
                session_id=SessionId(key.id),
                scopes=SCOPES_OF_ROLE[key.owner_role].intersection(key.scopes),
                requests_per_minute=key.requests_per_minute,
            ),
            ends_at=key.expires_at,
            read_again_at=now + self._known_time,
        )

    async def _read(self, key_ids: Collection[ApiKeyId]) -> Sequence[KeyAtUse | None]:
        found = await self._stored.at_use(set(key_ids))
        return [found.get(key_id) for key_id in key_ids]


def _invalid() -> ApiKeyInvalid:
    return ApiKeyInvalid("This is not an API key of ours, or it has ended.")
