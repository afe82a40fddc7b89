"""A storage of the gateway in an LMDB file, from scratch: it inherits nothing, and uses public names alone.

`tables.py` and `database.py` are what any storage on LMDB would have, `records.py` says what is kept, and the other
modules are the ports. One process has the file open. Its units of work take turns, each commit is one write transaction
of LMDB, and readers see snapshots. What is optional is left out: transactions of the program, and a shared clock.

    async with open_lmdb_storage(Path("shop.lmdb")) as storage, open_gateway(storage=storage) as gateway:
        ...
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.ports import Storage
from lmdb_storage.auditing import LmdbAuditLog, begin_chain, open_audit
from lmdb_storage.customers import LmdbCustomers
from lmdb_storage.database import Database
from lmdb_storage.deliveries import LmdbDeliveries
from lmdb_storage.feed import LmdbEventCursors, LmdbEventFeed
from lmdb_storage.housekeeping import LmdbHousekeeping
from lmdb_storage.members import LmdbMembers
from lmdb_storage.people import LmdbApiKeys, LmdbLoginFailures, LmdbSessions, LmdbUsers, MemoryBudgets
from lmdb_storage.reading import LmdbRates, LmdbReader, LmdbWebhookEndpoints
from lmdb_storage.second_factors import LmdbSecondFactors
from lmdb_storage.unit_of_work import LmdbUnitOfWork

__all__ = ["BYTES_MAX", "open_lmdb_storage"]

BYTES_MAX = 2**34


@asynccontextmanager
async def open_lmdb_storage(path: Path, *, bytes_max: int = BYTES_MAX, sync: bool = True) -> AsyncGenerator[Storage]:
    """Open the storage in a file, which is made if there is none.

    Args:
        path: The file.
        bytes_max: How large it may become. When it is full, writing raises `StorageUnavailable`.
        sync: Whether commits wait for the disk. They need not in tests: a machine that fails may damage the file then.

    Raises:
        StorageUnavailable: It cannot be opened, or another process has it open.
    """
    database = Database(path, bytes_max=bytes_max, sync=sync)
    try:
        await database.write(begin_chain)
        yield Storage(
            unit_of_work=lambda: LmdbUnitOfWork(database),
            users=LmdbUsers(database),
            sessions=LmdbSessions(database),
            api_keys=LmdbApiKeys(database),
            customers=LmdbCustomers(database),
            members=LmdbMembers(database),
            second_factors=LmdbSecondFactors(database),
            login_failures=LmdbLoginFailures(database),
            rate_budgets=MemoryBudgets(),
            rates=LmdbRates(database),
            audit_log=LmdbAuditLog(database),
            reader=LmdbReader(database),
            events=LmdbEventFeed(database),
            event_cursors=LmdbEventCursors(database),
            webhook_endpoints=LmdbWebhookEndpoints(database),
            deliveries=LmdbDeliveries(database),
            housekeeping=LmdbHousekeeping(database),
            audit=lambda: open_audit(database),
        )
    finally:
        database.close()
