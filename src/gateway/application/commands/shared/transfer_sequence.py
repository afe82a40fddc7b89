"""The transfers of one transaction, in order."""

from collections.abc import Callable

from gateway.domain.account import Account, AccountId
from gateway.domain.transfer import Transfer, TransferResult


class TransferSequence:
    """The transfers of one transaction. Each starts from the balances that the previous one left."""

    __slots__ = ("accounts", "transfers")

    def __init__(self) -> None:
        self.accounts: dict[AccountId, Account] = {}
        """Every account that a transfer has changed, after the last one."""
        self.transfers: list[Transfer] = []

    def make(
        self,
        move: Callable[[Account, Account, int], TransferResult],
        debit: Account,
        credit: Account,
        amount_minor: int,
    ) -> None:
        """Add a transfer, unless the amount is 0. Raises what `move` raises."""
        if amount_minor == 0:
            return
        moved = move(self.accounts.get(debit.id, debit), self.accounts.get(credit.id, credit), amount_minor)
        self.accounts[debit.id] = moved.debit
        self.accounts[credit.id] = moved.credit
        self.transfers.append(moved.transfer)
