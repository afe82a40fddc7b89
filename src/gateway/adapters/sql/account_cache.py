"""Remembered: accounts as this storage leaves them, so that the next payment need neither read them nor wait for it."""

from collections.abc import Collection, Iterable

from gateway.application.ports.unit_of_work import AnswerKey
from gateway.domain.account import Account, AccountId, AccountKey


class AccountCache:
    """What is known without asking the database. Whatever rests on it is checked by the statement that writes.

    It is taken down while it is being committed, and forgotten if it was not. Other processes write too, and so any of
    it may be out of date. When there is too much of it, all of it is forgotten: what is needed again is soon known
    again.
    """

    def __init__(self, count_max: int) -> None:
        """Nothing yet.

        Args:
            count_max: Of accounts, and of answered keys; 0 remembers nothing.
        """
        self._count_max = count_max
        self._accounts: dict[AccountId, Account] = {}
        self._ids: dict[AccountKey, AccountId] = {}
        self._answered: set[AnswerKey] = set()

    def known(
        self, keys: Iterable[AccountKey], ids: Iterable[AccountId]
    ) -> tuple[dict[AccountId, Account], list[AccountKey], list[AccountId]]:
        """Those of these accounts that are known, each once, and the keys and the ids of all others."""
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
        """Whether one of these keys was answered here lately: whoever asks again is to be given the answer."""
        return not self._answered.isdisjoint(keys)

    def keep(self, accounts: Collection[Account], answered: Collection[AnswerKey]) -> bool:
        """Take down what is being committed, or forget what it replaces; whether there was room for all of it."""
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
        """Know no more of any account."""
        self._accounts.clear()
        self._ids.clear()

    def forget(self, ids: Iterable[AccountId]) -> None:
        """Know no more of these accounts."""
        for account_id in ids:
            account = self._accounts.pop(account_id, None)
            if account is not None:
                del self._ids[account.key]
