"""Rules about transactions: which accounts each type of transaction may move money between."""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.application.verification.payment_flows import PAYMENT_TRANSFERS
from gateway.domain.account import Account, AccountKind
from gateway.domain.transaction import Transaction, TransactionType
from gateway.domain.transfer import Transfer

_GATEWAYS_OWN = frozenset({AccountKind.FEES, AccountKind.EXCHANGE})


class Sides(NamedTuple):
    """The two accounts of a transfer."""

    debit: Account
    credit: Account


def is_between_its_parties(transaction: Transaction, sides: Sequence[Sides | None]) -> bool:
    """Whether each transfer is between accounts that its transaction may move money between.

    Args:
        transaction: The transaction.
        sides: The accounts of each of its transfers; `None` where one does not exist. A missing account is a finding
            of its own, and the answer is then true.
    """
    existing = [each for each in sides if each is not None]
    return len(existing) < len(sides) or all(
        _may_move(transaction, transfer, each) for transfer, each in zip(transaction.transfers, existing, strict=True)
    )


def _may_move(transaction: Transaction, transfer: Transfer, sides: Sides) -> bool:
    debit, credit = sides
    parties = {transaction.customer_id, transaction.merchant_id}
    match transaction.type:
        case TransactionType.DEPOSIT:
            return debit.kind is AccountKind.FUNDING and credit.owner_id in parties
        case TransactionType.PAYOUT:
            return credit.kind is AccountKind.FUNDING and debit.owner_id in parties
        case TransactionType.REVERSAL:
            funding = AccountKind.FUNDING in (debit.kind, credit.kind)
            return funding and not parties.isdisjoint((debit.owner_id, credit.owner_id))
        case _:
            known = (transaction.type, transfer.kind, debit.kind, credit.kind) in PAYMENT_TRANSFERS
            return known and all(_is_of_a_party(account, transaction) for account in sides)


def _is_of_a_party(account: Account, transaction: Transaction) -> bool:
    if account.kind in _GATEWAYS_OWN:
        return True
    customers = account.kind is AccountKind.CUSTOMER
    return account.owner_id == (transaction.customer_id if customers else transaction.merchant_id)
