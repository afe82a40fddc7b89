"""Storage in plain dictionaries, with the transaction rules of a real database."""

from gateway.adapters.memory.api_keys import MemoryApiKeys
from gateway.adapters.memory.audit_log import MemoryAuditLog
from gateway.adapters.memory.customers import MemoryCustomers
from gateway.adapters.memory.database import MemoryDatabase
from gateway.adapters.memory.deliveries import MemoryDeliveries
from gateway.adapters.memory.event_cursors import MemoryEventCursors
from gateway.adapters.memory.events import MemoryEventFeed
from gateway.adapters.memory.housekeeping import MemoryHousekeeping
from gateway.adapters.memory.login_failures import MemoryLoginFailures
from gateway.adapters.memory.members import MemoryMembers
from gateway.adapters.memory.rate_budgets import MemoryRateBudgets
from gateway.adapters.memory.rates import MemoryRates
from gateway.adapters.memory.reader import MemoryReader, memory_audit
from gateway.adapters.memory.second_factors import MemorySecondFactors
from gateway.adapters.memory.sessions import MemorySessions
from gateway.adapters.memory.unit_of_work import MemoryUnitOfWork
from gateway.adapters.memory.users import MemoryUsers
from gateway.adapters.memory.webhook_endpoints import MemoryWebhookEndpoints
from gateway.adapters.memory.webhook_sender import MemoryWebhookSender
from gateway.application.ports.storage import Storage

__all__ = ["MemoryDatabase", "MemoryUnitOfWork", "MemoryWebhookSender", "memory_storage"]


def memory_storage(database: MemoryDatabase | None = None) -> Storage:
    """Every storage port over one set of dictionaries, a new one unless it is given."""
    kept = MemoryDatabase() if database is None else database
    sessions, login_failures = MemorySessions(kept), MemoryLoginFailures()
    return Storage(
        unit_of_work=lambda: MemoryUnitOfWork(kept),
        users=MemoryUsers(kept, sessions),
        sessions=sessions,
        api_keys=MemoryApiKeys(kept),
        customers=MemoryCustomers(kept),
        second_factors=MemorySecondFactors(kept),
        members=MemoryMembers(kept),
        login_failures=login_failures,
        rate_budgets=MemoryRateBudgets(),
        rates=MemoryRates(kept),
        audit_log=MemoryAuditLog(kept),
        reader=MemoryReader(kept),
        events=MemoryEventFeed(kept),
        event_cursors=MemoryEventCursors(kept),
        webhook_endpoints=MemoryWebhookEndpoints(kept),
        deliveries=MemoryDeliveries(kept),
        housekeeping=MemoryHousekeeping(kept, sessions, login_failures),
        audit=lambda: memory_audit(kept),
    )
