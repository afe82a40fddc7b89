"""ApiKeyUses: when API keys were last used, written in the background."""

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import Final

from gateway.application.ports.api_keys import StoredApiKeys
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.domain.api_key import ApiKeyId

WRITE_SECONDS: Final = 60.0
"""The uses of so many seconds are written in one transaction."""
USES_MAX: Final = 10_000
"""The keys of one write. The uses of further ones are not noted until the next."""
CLOSE_SECONDS_MAX: Final = 2.0
"""How long the end waits for the last write."""


class ApiKeyUses:
    """Notes uses in memory, and writes them once a minute. What is noted when a process is killed is lost."""

    def __init__(self, stored: StoredApiKeys) -> None:
        self._stored = stored
        self._uses: dict[ApiKeyId, datetime] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def note(self, key_id: ApiKeyId, now: datetime) -> None:
        """Note a use. Nothing is awaited or written."""
        if len(self._uses) < USES_MAX or key_id in self._uses:
            self._uses[key_id] = now
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WRITE_SECONDS, self._begin_writing)

    async def close(self) -> None:
        """Write what is noted, if the storage takes it soon."""
        if self._timer is not None:
            self._timer.cancel()
            self._begin_writing()
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=CLOSE_SECONDS_MAX)
            self._writing.cancel()

    def _begin_writing(self) -> None:
        self._timer = None
        uses, self._uses = self._uses, {}
        self._writing = asyncio.create_task(self._write(uses), name="uses of API keys")

    async def _write(self, uses: dict[ApiKeyId, datetime]) -> None:
        with suppress(StorageUnavailable):  # Later uses are written later.
            await self._stored.note_uses(uses)
