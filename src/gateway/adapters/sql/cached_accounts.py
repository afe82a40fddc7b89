"""Accounts from the cache of this process, for batches that are pipelined (docs/decisions/0011)."""

from collections.abc import Collection

from typing_extensions import override

from gateway.adapters.sql.account_cache import AccountCache
from gateway.adapters.sql.loading import Accounts, StoredAccounts
from gateway.adapters.sql.postgres_queries import PostgresQueries
from gateway.domain.account import Account, AccountId, AccountKey


class CachedAccounts(Accounts):
    """Accounts from the cache, and from the database what is not there."""

    def __init__(
        self, cache: AccountCache, queries: PostgresQueries, stored: StoredAccounts, cached: dict[AccountId, Account]
    ) -> None:
        """Accounts of `cache` are added to `cached` when they are loaded."""
        self._cache = cache
        self._queries = queries
        self._stored = stored
        self._cached = cached
        self.are_cached = False

    @override
    async def load(self, keys: Collection[AccountKey], ids: Collection[AccountId]) -> list[Account]:
        known, unknown_keys, unknown_ids = self._cache.known(keys, ids)
        self._cached |= known
        self.are_cached = bool(self._cached)
        if unknown_keys or unknown_ids:
            return [*known.values(), *await self._stored.load(unknown_keys, unknown_ids)]
        if not self._queries.has_read_accounts:
            # The commit claims the keys, and finds the answers that there are.
            self._queries.may_be_answered = False
        return list(known.values())
