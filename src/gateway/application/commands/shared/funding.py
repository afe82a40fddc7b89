"""What deposits and payouts share: one transfer between a user's account and the outside world."""

from typing import NamedTuple

from gateway.application.commands.shared.accounts import users_account
from gateway.application.engine.command import Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.account import Account, AccountId, AccountKind, system_account
from gateway.domain.errors import CurrencyMismatch
from gateway.domain.money import CurrencyCode, Money
from gateway.domain.transaction import Transaction, TransactionType
from gateway.domain.transfer import post
from gateway.domain.user import UserId


class FundingTransfer(NamedTuple):
    """The transaction of a deposit or a payout, and both accounts after it."""

    transaction: Transaction
    accounts: tuple[Account, Account]


def external_needs(account_id: AccountId, currency: CurrencyCode) -> Needs:
    """The user's account, and the gateway's account of the outside world."""
    return Needs(account_ids=(account_id,), account_keys=(system_account(AccountKind.FUNDING, currency),))


def move_funding(
    kind: TransactionType,
    account_id: AccountId,
    amount: Money,
    *,
    owner_id: UserId | None,
    reference: str | None,
    ledger: LedgerView,
    moment: Moment,
) -> FundingTransfer:
    """Credit the account with a deposit, or debit it with a payout.

    Raises:
        AccountNotFound: As `users_account`.
        CurrencyMismatch: The account is in another currency than `amount`.
        AccountFrozen, InsufficientFunds, BalanceOverflow: As `post`.
    """
    account = users_account(ledger, account_id, owner_id)
    funding = ledger.find_account(system_account(AccountKind.FUNDING, amount.currency))
    if funding is None or account.currency != amount.currency:
        raise CurrencyMismatch(f"The account is in {account.currency}, the {kind} in {amount.currency}.")
    debit, credit = (funding, account) if kind is TransactionType.DEPOSIT else (account, funding)
    moved = post(debit, credit, amount.amount_minor)
    transaction = moment.transaction(kind, (moved.transfer,), parties=account, description=reference)
    return FundingTransfer(transaction, (moved.debit, moved.credit))
