"""How long the database may take, how much of it may be used at once, and which schema of it."""

from dataclasses import dataclass
from typing import Final

BRIEF_SHARE: Final = 0.125
"""A batch that locks nothing before it writes waits for this share of the lock timeout: other batches wait with it."""
SHARED_SHARE: Final = 0.5
"""A batch that locks what it loads waits for this share: processes that write to the same accounts wait in line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlLimits:
    """Named limits of the SQL adapter. Whatever passes one of them ends as `StorageUnavailable` or `TryAgain`.

    Everything that connects takes them, so they name the schema as well.

    Attributes:
        write_pool_size: Connections for units of work, so one for each that runs at once (Postgres).
        pool_size: Connections for everything else, so that look-ups cannot hold up payments (Postgres).
        access_pool_size: Connections for logins, sessions and readiness, which look-ups cannot hold up (Postgres).
        webhook_pool_size: Connections for the deliveries of webhooks (Postgres).
        pool_timeout_seconds: How long to wait for a free connection.
        connect_timeout_seconds: How long making a connection may take.
        command_timeout_seconds: How long to wait for the answer to one statement. It is what notices a database that
            went silent, so it should be longer than the two below, which the database itself watches.
        lock_timeout_seconds: How long a statement may wait for one lock (on SQLite, for another writer to end). On
            Postgres also how long a request waits for a running one with its idempotency key, before
            `idempotency_in_progress`; units of work that others wait for wait for a share of it.
        statement_timeout_seconds: How long one statement may run in all.
        idle_timeout_seconds: How long a transaction may lie between two statements. It frees the locks of a process
            that hangs.
        optimistic: Whether units of work that change only accounts compare versions when they commit, instead of
            locking. After a conflict with another process they lock for a while, see `Contention` (Postgres).
        cached_max: Accounts in the cache, and keys that were answered lately;
            0 for none (Postgres, if `optimistic`).
        audit_timeout_seconds: Replaces the command, lock, statement and idle time-outs of an audit and of a migration:
            one statement may read the whole database.
        schema: The schema of all tables; empty for the first of the role's search path (Postgres).
    """

    write_pool_size: int = 4
    pool_size: int = 8
    access_pool_size: int = 2
    webhook_pool_size: int = 4
    pool_timeout_seconds: float = 2.0
    connect_timeout_seconds: float = 3.0
    command_timeout_seconds: float = 8.0
    lock_timeout_seconds: float = 2.0
    statement_timeout_seconds: float = 5.0
    idle_timeout_seconds: float = 10.0
    optimistic: bool = True
    cached_max: int = 50_000
    audit_timeout_seconds: float = 600.0
    schema: str = ""

    @property
    def brief_lock_seconds(self) -> float:
        """How long a batch of many waits for a lock when it writes without having locked what it loaded (Postgres)."""
        return self.lock_timeout_seconds * BRIEF_SHARE

    @property
    def shared_lock_seconds(self) -> float:
        """How long a batch of many waits for each lock if it locks what it loads (Postgres)."""
        return self.lock_timeout_seconds * SHARED_SHARE
