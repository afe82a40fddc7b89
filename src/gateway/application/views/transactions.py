"""Transactions and their entries, as clients see them."""

from collections.abc import Collection
from typing import Literal

import msgspec

from gateway.application.views.times import Instant
from gateway.domain.account import AccountId
from gateway.domain.transaction import Transaction, TransactionType
from gateway.domain.transfer import BalanceAfter


class BalanceAfterView(msgspec.Struct, frozen=True, kw_only=True):
    """What an account held right after an entry."""

    posted: int
    held: int
    available: int


class EntryView(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a transfer."""

    account_id: str
    direction: Literal["debit", "credit"]
    amount: int
    currency: str
    balance_after: BalanceAfterView


class TransactionView(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction, with the entries that the viewer may see."""

    id: str
    object: Literal["transaction"] = "transaction"
    type: TransactionType
    status: Literal["posted"] = "posted"
    amount: int
    currency: str
    payment_id: str | None
    customer_id: str | None
    merchant_id: str | None
    description: str | None
    reverses: str | None
    reversed_by: str | None
    created_at: Instant
    entries: list[EntryView]


def transaction_view(transaction: Transaction, visible: Collection[AccountId] | None) -> TransactionView:
    """A transaction as a client sees it, with the entries of the accounts `visible`; `None` means all accounts."""
    entries: list[EntryView] = []
    for transfer in transaction.transfers:
        if visible is None or transfer.debit_account_id in visible:
            entries.append(
                EntryView(
                    account_id=transfer.debit_account_id,
                    direction="debit",
                    amount=transfer.amount_minor,
                    currency=transfer.currency,
                    balance_after=_balance_after(transfer.debit_after),
                )
            )
        if visible is None or transfer.credit_account_id in visible:
            entries.append(
                EntryView(
                    account_id=transfer.credit_account_id,
                    direction="credit",
                    amount=transfer.amount_minor,
                    currency=transfer.currency,
                    balance_after=_balance_after(transfer.credit_after),
                )
            )
    return TransactionView(
        id=transaction.id,
        type=transaction.type,
        amount=transaction.amount_minor,
        currency=transaction.currency,
        payment_id=transaction.payment_id,
        customer_id=transaction.customer_id,
        merchant_id=transaction.merchant_id,
        description=transaction.description,
        reverses=transaction.reverses,
        reversed_by=transaction.reversed_by,
        created_at=transaction.created_at,
        entries=entries,
    )


def _balance_after(after: BalanceAfter) -> BalanceAfterView:
    return BalanceAfterView(posted=after.posted, held=after.held, available=after.available)
