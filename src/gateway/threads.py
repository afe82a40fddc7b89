"""What `gateway.sync` and `open_gateway_sync` give to threads, for annotations."""

from gateway.application.engine.loop_calls import GatewayClosed
from gateway.application.sync_gateway import (
    SyncAccess,
    SyncAccounts,
    SyncApiKeys,
    SyncAuditQueries,
    SyncCustomers,
    SyncDeliveries,
    SyncEventQueries,
    SyncEvents,
    SyncGateway,
    SyncMembers,
    SyncQueries,
    SyncQuotes,
    SyncRecovery,
    SyncSecondFactors,
    SyncWebhooks,
)

__all__ = [
    "GatewayClosed",
    "SyncAccess",
    "SyncAccounts",
    "SyncApiKeys",
    "SyncAuditQueries",
    "SyncCustomers",
    "SyncDeliveries",
    "SyncEventQueries",
    "SyncEvents",
    "SyncGateway",
    "SyncMembers",
    "SyncQueries",
    "SyncQuotes",
    "SyncRecovery",
    "SyncSecondFactors",
    "SyncWebhooks",
]
