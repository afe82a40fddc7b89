"""Scope: what an API key may be used for."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from gateway.domain.user import Role


class Scope(StrEnum):
    """What an API key may be used for. A key has one scope or several, and does no more than its owner may."""

    PAYMENTS_READ = "payments:read"
    PAYMENTS_WRITE = "payments:write"
    REFUNDS_WRITE = "refunds:write"
    ACCOUNTS_READ = "accounts:read"
    TRANSACTIONS_READ = "transactions:read"
    WEBHOOKS_WRITE = "webhooks:write"
    PAYOUTS_WRITE = "payouts:write"
    CUSTOMERS_READ = "customers:read"
    CUSTOMERS_WRITE = "customers:write"
    EVENTS_READ = "events:read"


_OF_EVERYBODY: Final = frozenset(
    {
        Scope.PAYMENTS_READ,
        Scope.PAYMENTS_WRITE,
        Scope.ACCOUNTS_READ,
        Scope.TRANSACTIONS_READ,
        Scope.PAYOUTS_WRITE,
        Scope.EVENTS_READ,
    }
)
SCOPES_OF_ROLE: Final[Mapping[Role, frozenset[Scope]]] = {
    Role.CUSTOMER: _OF_EVERYBODY,
    Role.MERCHANT: frozenset(Scope),
    Role.OPERATOR: _OF_EVERYBODY | {Scope.WEBHOOKS_WRITE},
}
"""The scopes that a key of an owner with this role may have: the role may call an operation that needs the scope."""
