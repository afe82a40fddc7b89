"""Account cache: accounts as this process has last written them. A payment on cached accounts needs no read."""

from collections.abc import Collection, Iterable

from gateway.application.ports.batch_records import AnswerKey
from gateway.domain.account import Account, AccountId, AccountKey


class AccountCache:
    """Accounts, and idempotency keys that were answered lately.

    An account enters the cache while it is being committed, and leaves it if the commit fails. Other processes write
    too, so entries may be out of date: the statement that writes checks their versions. A full cache is emptied.
    """

    def __init__(self, count_max: int) -> None:
        """An empty cache.

        Args:
            count_max: Of accounts, and of answered keys; 0 caches nothing.
        """
        self._count_max = count_max
        self._accounts: dict[AccountId, Account] = {}
        self._ids: dict[AccountKey, AccountId] = {}
        self._answered: set[AnswerKey] = set()

    def known(
        self, keys: Iterable[AccountKey], ids: Iterable[AccountId]
    ) -> tuple[dict[AccountId, Account], list[AccountKey], list[AccountId]]:
        """The cached accounts among these, each once, and the keys and ids of the others."""
        found: dict[AccountId, Account] = {}
        unknown_keys: list[AccountKey] = []
        unknown_ids: list[AccountId] = []
        for key in keys:
            account_id = self._ids.get(key)
            if account_id is None:
                unknown_keys.append(key)
            else:
                found[account_id] = self._accounts[account_id]
        for account_id in ids:
            account = self._accounts.get(account_id)
            if account is None:
                unknown_ids.append(account_id)
            else:
                found[account_id] = account
        return found, unknown_keys, unknown_ids

    def answered_any(self, keys: Collection[AnswerKey]) -> bool:
        """Whether one of these keys was answered lately: its request is a replay."""
        return not self._answered.isdisjoint(keys)

    def keep(self, accounts: Collection[Account], answered: Collection[AnswerKey]) -> bool:
        """Cache what is being committed, if there is room for all of it. Returns whether there was."""
        if len(accounts) > self._count_max or len(answered) > self._count_max:
            self.forget(account.id for account in accounts)
            return False
        if len(self._accounts) + len(accounts) > self._count_max:
            self.forget_accounts()
        if len(self._answered) + len(answered) > self._count_max:
            self._answered.clear()
        for account in accounts:
            if account.id not in self._accounts:
                self._ids[account.key] = account.id
            self._accounts[account.id] = account
        self._answered.update(answered)
        return True

    def forget_accounts(self) -> None:
        """Remove all accounts."""
        self._accounts.clear()
        self._ids.clear()

    def forget(self, ids: Iterable[AccountId]) -> None:
        """Remove these accounts."""
        for account_id in ids:
            account = self._accounts.pop(account_id, None)
            if account is not None:
                del self._ids[account.key]
