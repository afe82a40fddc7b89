"""The audit log: its records, and the chain of their hashes."""

from datetime import datetime
from typing import Protocol

from gateway.application.ports.reader import Listed
from gateway.domain.audit import AuditAction, AuditId, AuditRecord
from gateway.domain.checks import check_id, check_instant, check_type
from gateway.domain.immutable import immutable
from gateway.domain.user import UserId


@immutable
class AuditFilter:
    """Which records. `None` allows all.

    Attributes:
        owner_id: The user whom it concerns.
        actor: The id of a user or a key, `cli` or `system`.
        action: What was done.
        object_id: To what.
        created_after: Then or later.
        created_before: Before then.
    """

    actor: str | None = None
    action: AuditAction | None = None
    object_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    owner_id: UserId | None = None

    def __post_init__(self) -> None:
        identifiers = (("actor", self.actor), ("object_id", self.object_id), ("owner_id", self.owner_id))
        for name, identifier in identifiers:
            if identifier is not None:
                check_id(name, identifier)
        if self.action is not None:
            check_type("action", self.action, AuditAction)
        for name, instant in (("created_after", self.created_after), ("created_before", self.created_before)):
            if instant is not None:
                check_instant(name, instant)


class AuditLog(Protocol):
    """Append-only. Raises `StorageUnavailable` when the storage is away.

    Records come with the changes that they tell: of a unit of work, a session, a password, a rate.
    """

    async def append(self, record: AuditRecord) -> None:
        """Add a record that tells of no change: of something that was refused."""
        ...

    async def records(self, where: AuditFilter, *, before: AuditId | None, limit: int) -> Listed[AuditRecord]:
        """A page of records, newest first."""
        ...

    async def link(self, *, limit: int) -> int:
        """Give records that were committed their places in the chain, the oldest first, `limit` at most.

        `gateway.ports.chained` makes the links. A record that was deleted before it got its place keeps waiting. One
        process at a time does this. Where transactions do not take turns anyway, none waits for it.

        Returns:
            How many were linked.

        Raises:
            StorageReadOnly: Nothing can be written here. The records wait.
        """
        ...
