"""AuditIds: whether the ids of a filter are known, before the audit log keeps them."""

from dataclasses import dataclass
from typing import Final

from gateway.application.ports.api_keys import StoredApiKeys
from gateway.application.ports.audit_log import AuditFilter, AuditLog
from gateway.application.ports.customers import StoredCustomers
from gateway.application.ports.storage import Storage
from gateway.application.ports.users import Users
from gateway.domain.api_key import ApiKeyId
from gateway.domain.audit import ANYBODY, CLI, THE_LOG, THE_SYSTEM, UNKNOWN, AuditId
from gateway.domain.errors import invalid
from gateway.domain.user import UserId

WITHOUT_RECORDS: Final = frozenset({CLI, THE_SYSTEM.id, ANYBODY.id, THE_LOG, UNKNOWN})
"""Names that stand in place of an id."""


@dataclass(frozen=True, slots=True)
class AuditIds:
    """Reads whether somebody has an id. People mistype ids, or give an e-mail address, which the log never keeps."""

    users: Users
    api_keys: StoredApiKeys
    customers: StoredCustomers
    log: AuditLog

    async def check(self, where: AuditFilter) -> None:
        """Check the ids of a filter.

        Raises:
            InvalidInput: An id is of no user, customer, API key or record of the audit log.
            StorageUnavailable: The storage could not be reached.
        """
        for name in ("actor", "object_id", "owner_id"):
            given: str | None = getattr(where, name)
            if given is not None and not await self._is_known(given):
                detail = "No user, customer, API key or record of the audit log has this id."
                raise invalid(name, "value_invalid", detail)

    async def _is_known(self, given: str) -> bool:
        if given in WITHOUT_RECORDS:
            return True
        if await self.users.by_id(UserId(given)) or await self.customers.customer(UserId(given)):
            return True
        if await self.api_keys.key(ApiKeyId(given)):
            return True
        wheres = (AuditFilter(object_id=given), AuditFilter(actor=given), AuditFilter(owner_id=UserId(given)))
        return any([await self._has_record(where) for where in wheres])

    async def _has_record(self, where: AuditFilter) -> bool:
        before: AuditId | None = None
        while True:
            found = await self.log.records(where, before=before, limit=1)
            if len(found) or found.stopped_at is None:
                return bool(len(found))
            before = AuditId(found.stopped_at)


def audit_ids(storage: Storage) -> AuditIds:
    """The check of ids by the records of a storage."""
    return AuditIds(storage.users, storage.api_keys, storage.customers, storage.audit_log)
