"""Which records a batch loads beside those that its commands name.

A command names a payment by its id and cannot know whose money it moves. Every storage adapter loads in three steps and
asks these functions between them: payments and transactions, then quotes, then accounts, then accounts for fees.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from gateway.application.ports.batch_records import AccountHolder
from gateway.application.ports.unit_of_work import Wanted
from gateway.domain.account import Account, AccountId, AccountKey, AccountKind, system_account
from gateway.domain.payment import Payment, QuoteId
from gateway.domain.quote import Quote
from gateway.domain.transaction import Transaction
from gateway.domain.user import UserId


class AccountsToLoad(NamedTuple):
    """Accounts by key and by id, and keys of accounts for fees, which are locked after all others."""

    keys: set[AccountKey]
    ids: set[AccountId]
    fee_keys: set[AccountKey]


def quotes_to_load(wanted: Wanted, payments: Iterable[Payment]) -> set[QuoteId]:
    """The quotes that are wanted, and the quotes of the payments."""
    return {*wanted.quotes, *(payment.quote_id for payment in payments if payment.quote_id is not None)}


def accounts_to_load(
    wanted: Wanted, payments: Collection[Payment], quotes: Iterable[Quote], transactions: Iterable[Transaction]
) -> AccountsToLoad:
    """The accounts that are wanted, and those between which the payments, quotes and transactions move money."""
    keys = {*wanted.account_keys, *_of_parties(payments), *_of_payers(wanted, payments), *_of_quotes(quotes)}
    fee_keys = {key for key in keys if key.kind is AccountKind.FEES}
    return AccountsToLoad(keys - fee_keys, {*wanted.account_ids, *_of_transactions(transactions)}, fee_keys)


def fee_accounts_to_load(
    to_load: AccountsToLoad, accounts: Iterable[Account], payments: Iterable[Payment]
) -> set[AccountKey]:
    """The gateway's accounts for fees, in each currency in which a merchant is charged fees or a payment was."""
    currencies = {account.currency for account in accounts if any(account.fees)}
    currencies.update(payment.amount.currency for payment in payments if payment.fee_amount_minor)
    return to_load.fee_keys | {system_account(AccountKind.FEES, currency) for currency in currencies}


def counters_to_load(wanted: Wanted, to_load: AccountsToLoad) -> set[UserId]:
    """The customers whose payments are counted: those whose accounts are loaded by key, as all that pay are."""
    if not wanted.counts_payments:
        return set()
    return {key.owner_id for key in to_load.keys if key.kind is AccountKind.CUSTOMER}


def account_holders_to_find(keys: Iterable[AccountKey], accounts: Iterable[Account]) -> set[AccountHolder]:
    """The owners of accounts that were not found: each may have an account of this kind in another currency."""
    found = {account.key for account in accounts}
    return {AccountHolder(key.owner_id, key.kind) for key in keys if key not in found}


def _of_parties(payments: Iterable[Payment]) -> Iterator[AccountKey]:
    for payment in payments:
        currency = payment.amount.currency
        yield AccountKey(payment.merchant_id, currency, AccountKind.MERCHANT)
        if payment.customer_id is not None:
            yield AccountKey(payment.customer_id, currency, AccountKind.CUSTOMER)


def _of_payers(wanted: Wanted, payments: Iterable[Payment]) -> Iterator[AccountKey]:
    """Accounts of customers who confirm a payment, in the payment's currency."""
    if wanted.payers:
        currencies = {payment.id: payment.amount.currency for payment in payments}
        for payer in wanted.payers:
            if payer.payment_id in currencies:
                yield AccountKey(payer.customer_id, currencies[payer.payment_id], AccountKind.CUSTOMER)


def _of_quotes(quotes: Iterable[Quote]) -> Iterator[AccountKey]:
    """The customer's account and the gateway's: all but the merchant's, which comes with the payment."""
    for quote in quotes:
        source, target = quote.source.currency, quote.target.currency
        yield AccountKey(quote.customer_id, source, AccountKind.CUSTOMER)
        yield system_account(AccountKind.EXCHANGE, source)
        yield system_account(AccountKind.EXCHANGE, target)
        if quote.spread_minor:
            yield system_account(AccountKind.FEES, source)


def _of_transactions(transactions: Iterable[Transaction]) -> Iterator[AccountId]:
    for transaction in transactions:
        for transfer in transaction.transfers:
            yield transfer.debit_account_id
            yield transfer.credit_account_id
