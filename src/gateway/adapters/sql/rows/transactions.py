"""Transactions as rows: one for each transfer."""

from collections.abc import Sequence
from typing import Final

from gateway.adapters.sql.rows.values import Values
from gateway.adapters.sql.tables.ledger import transfers
from gateway.adapters.sql.types import Found
from gateway.domain.transaction import Transaction, TransactionType
from gateway.domain.transfer import BalanceAfter, Transfer, TransferKind

TRANSFER_COLUMNS: Final = len(transfers.c)

TRANSACTION_TYPES: Final = {kind.value: kind for kind in TransactionType}

TRANSFER_KINDS: Final = {kind.value: kind for kind in TransferKind}


def transfer_values(transaction: Transaction) -> list[Values]:
    """The rows of a transaction: one for each transfer, each with the head that they share."""
    return [
        (
            transaction.id,
            position,
            transaction.type.value,
            transaction.payment_id,
            transaction.customer_id,
            transaction.merchant_id,
            transaction.description,
            transaction.reverses,
            transaction.created_at,
            transfer.kind.value,
            transfer.amount_minor,
            transfer.currency,
            transfer.debit_account_id,
            *transfer.debit_after,
            transfer.credit_account_id,
            *transfer.credit_after,
        )
        for position, transfer in enumerate(transaction.transfers)
    ]


def to_transactions(rows: Sequence[Found]) -> list[Transaction]:
    """The transactions of the rows. Rows of one transaction follow each other, in their order.

    A row may have one value more than the table: the id of the transaction that reverses it.
    """
    transactions: list[Transaction] = []
    start = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or rows[end][0] != rows[start][0]:
            transactions.append(_transaction(rows[start:end]))
            start = end
    return transactions


def _transaction(rows: Sequence[Found]) -> Transaction:
    head = rows[0]
    return Transaction(
        id=head[0],
        type=TRANSACTION_TYPES[head[2]],
        transfers=tuple([_transfer(row) for row in rows]),
        payment_id=head[3],
        customer_id=head[4],
        merchant_id=head[5],
        description=head[6],
        reverses=head[7],
        created_at=head[8],
        reversed_by=head[TRANSFER_COLUMNS] if len(head) > TRANSFER_COLUMNS else None,
    )


def _transfer(row: Found) -> Transfer:
    return Transfer(
        kind=TRANSFER_KINDS[row[9]],
        amount_minor=row[10],
        currency=row[11],
        debit_account_id=row[12],
        debit_after=BalanceAfter(row[13], row[14], row[15]),
        credit_account_id=row[16],
        credit_after=BalanceAfter(row[17], row[18], row[19]),
    )
