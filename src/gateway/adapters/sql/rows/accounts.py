"""Accounts as rows."""

from datetime import datetime
from typing import Final

from gateway.adapters.sql.rows.values import Values
from gateway.adapters.sql.tables.ledger import accounts
from gateway.adapters.sql.types import Found
from gateway.domain.account import Account, AccountKind, AccountStatus
from gateway.domain.fees import FeeSchedule

ACCOUNT_CHANGES: Final = (
    accounts.c.id,
    accounts.c.debits_pending,
    accounts.c.debits_posted,
    accounts.c.credits_pending,
    accounts.c.credits_posted,
    accounts.c.status,
    accounts.c.version,
    accounts.c.fee_basis_points,
    accounts.c.fee_fixed,
    accounts.c.latest_at,
)
"""The columns of `account_changes`: which one, and what changes. No index is on what changes."""

# Looking a member up in a dictionary costs a tenth of calling its class.
ACCOUNT_KINDS: Final = {kind.value: kind for kind in AccountKind}

ACCOUNT_STATUSES: Final = {status.value: status for status in AccountStatus}


def account_values(account: Account, latest_at: datetime | None) -> Values:
    """The row of an account, with the moment that the id of its newest transaction is of."""
    return (
        account.id,
        account.owner_id,
        account.kind.value,
        account.currency,
        account.debits_pending,
        account.debits_posted,
        account.credits_pending,
        account.credits_posted,
        account.status.value,
        account.version,
        account.created_at,
        *account.fees,
        latest_at,
        account.managed_by,
    )


def account_changes(account: Account, latest_at: datetime | None) -> Values:
    """What changes of an account: the values of `ACCOUNT_CHANGES`."""
    return (
        account.id,
        account.debits_pending,
        account.debits_posted,
        account.credits_pending,
        account.credits_posted,
        account.status.value,
        account.version,
        *account.fees,
        latest_at,
    )


def to_latest_at(row: Found) -> datetime | None:
    """The moment that the id of the newest transaction of an account is of, from the account's row."""
    latest_at: datetime | None = row[13]
    return latest_at


def to_account(row: Found) -> Account:
    """The account of a row."""
    return Account(
        id=row[0],
        owner_id=row[1],
        kind=ACCOUNT_KINDS[row[2]],
        currency=row[3],
        debits_pending=row[4],
        debits_posted=row[5],
        credits_pending=row[6],
        credits_posted=row[7],
        status=ACCOUNT_STATUSES[row[8]],
        version=row[9],
        created_at=row[10],
        fees=FeeSchedule._make(row[11:13]),
        managed_by=row[14],
    )
