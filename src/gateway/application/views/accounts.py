"""Accounts, as clients see them."""

from typing import Literal

import msgspec

from gateway.application.views.times import Instant
from gateway.domain.account import Account, AccountKind, AccountStatus


class BalanceView(msgspec.Struct, frozen=True, kw_only=True):
    """What an account holds."""

    posted: int
    held: int
    available: int
    incoming: int


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account."""

    id: str
    object: Literal["account"] = "account"
    owner_id: str
    kind: AccountKind
    currency: str
    balance: BalanceView
    status: AccountStatus
    version: int
    created_at: Instant


def account_view(account: Account) -> AccountView:
    """An account as clients see it."""
    return AccountView(
        id=account.id,
        owner_id=account.owner_id,
        kind=account.kind,
        currency=account.currency,
        balance=BalanceView(
            posted=account.posted, held=account.held, available=account.available, incoming=account.incoming
        ),
        status=account.status,
        version=account.version,
        created_at=account.created_at,
    )
