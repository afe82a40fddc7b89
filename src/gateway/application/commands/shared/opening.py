"""Opening accounts, with the gateway's own beside the first of a currency."""

from collections.abc import Iterable

from gateway.application.engine.command import Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.domain.account import SYSTEM_KINDS, Account, AccountId, AccountKey, open_account, system_account


def keys_to_open(key: AccountKey) -> tuple[AccountKey, ...]:
    """An account, and those of the gateway which must exist before money can reach or leave it."""
    return (key, *(system_account(kind, key.currency) for kind in SYSTEM_KINDS))


def open_missing(keys: Iterable[AccountKey], ledger: LedgerView, moment: Moment) -> list[Account]:
    """New accounts for those of `keys` that have none yet, in their order."""
    return [
        open_account(key, account_id=AccountId(moment.new_id("acc")), now=moment.now)
        for key in keys
        if ledger.find_account(key) is None
    ]
