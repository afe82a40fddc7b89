"""Everything that a database adapter supplies, in one value."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import Enum

from gateway.application.ports.api_keys import StoredApiKeys
from gateway.application.ports.audit_log import AuditLog
from gateway.application.ports.customers import StoredCustomers
from gateway.application.ports.deliveries import Deliveries
from gateway.application.ports.event_cursors import EventCursors
from gateway.application.ports.events import EventFeed
from gateway.application.ports.housekeeping import Housekeeping
from gateway.application.ports.login_failures import LoginFailures
from gateway.application.ports.members import StoredMembers
from gateway.application.ports.rate_budgets import RateBudgets
from gateway.application.ports.rates import Rates
from gateway.application.ports.reader import Audit, Reader
from gateway.application.ports.second_factors import SecondFactors
from gateway.application.ports.sessions import Sessions
from gateway.application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from gateway.application.ports.users import Users
from gateway.application.ports.webhook_endpoints import WebhookEndpoints
from gateway.domain.immutable import immutable


class Scheduling(Enum):
    """When the executor begins the next batch.

    Attributes:
        SEQUENTIAL: After the batch before it has ended. The storage runs one transaction at a time.
        PIPELINED: While the batch before it commits: the next batch is loaded and decided meanwhile.
        ALTERNATING: After the batch before it has ended, and once no more submissions arrive. Other processes write to
            the same rows, and each batch waits for one of theirs: few, large batches wait less.
    """

    SEQUENTIAL = "sequential"
    PIPELINED = "pipelined"
    ALTERNATING = "alternating"


def sequential() -> Scheduling:
    """The scheduling of a storage that runs one transaction at a time."""
    return Scheduling.SEQUENTIAL


@immutable
class Storage:
    """The storage ports, all over one database. Who makes it closes it, after the gateway.

    Attributes:
        scheduling: When the executor begins the next batch; it may change at any time.
        time: Asks the clock that all processes share; raises `StorageUnavailable`. `None` if all of them run on one
            machine, and share its clock.
        unit_of_work_in: A unit of work within the transaction of a connection of the embedding program: its `commit`
            writes, and the program commits. If it ends without `commit`, the transaction is as it was before.
            `InvalidInput` refuses a connection that cannot be used. `None` if the storage has no such transactions.
    """

    unit_of_work: UnitOfWorkFactory
    users: Users
    sessions: Sessions
    api_keys: StoredApiKeys
    customers: StoredCustomers
    second_factors: SecondFactors
    members: StoredMembers
    login_failures: LoginFailures
    rate_budgets: RateBudgets
    rates: Rates
    audit_log: AuditLog
    reader: Reader
    events: EventFeed
    event_cursors: EventCursors
    webhook_endpoints: WebhookEndpoints
    deliveries: Deliveries
    housekeeping: Housekeeping
    audit: Callable[[], AbstractAsyncContextManager[Audit]]
    scheduling: Callable[[], Scheduling] = sequential
    time: Callable[[], Awaitable[datetime]] | None = None
    unit_of_work_in: Callable[[object], UnitOfWork] | None = None
