"""One transaction over the dictionaries: from its beginning to its end it has them to itself."""

from collections.abc import Iterable
from dataclasses import replace
from types import TracebackType
from typing import Self

from gateway.adapters.memory.database import MemoryDatabase
from gateway.application.ports.unit_of_work import Changes, Holder, KeyTaken, Records, StorageRefused, Wanted
from gateway.application.ports.users import Credentials
from gateway.domain.account import Account, AccountId, AccountKey, AccountKind, system_account
from gateway.domain.payment import Payment, QuoteId
from gateway.domain.quote import Quote
from gateway.domain.transaction import Transaction, TransactionId


class MemoryUnitOfWork:
    """See the port. Since transactions take turns on one lock, nothing needs to be locked one by one."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def load(self, wanted: Wanted) -> Records:
        """As `UnitOfWork.load`."""
        database = self._database
        payments = [database.payments[id_] for id_ in wanted.payments if id_ in database.payments]
        quotes = self._quotes(wanted, payments)
        account_ids: set[AccountId] = set(wanted.account_ids)
        holders: list[Holder] = []
        transactions = [self._transaction(id_) for id_ in wanted.transactions if id_ in database.transactions]
        for key in {*wanted.account_keys, *self._payers(wanted)}:
            account_id = database.account_ids.get(key)
            if account_id is not None:
                account_ids.add(account_id)
            elif (holder := Holder(key.owner_id, key.kind)) in database.holders:
                holders.append(holder)
        for payment in payments:
            account_ids.update(self._accounts_of(payment))
        for quote in quotes:
            account_ids.update(self._accounts_across(quote))
        for transaction in transactions:
            for transfer in transaction.transfers:
                account_ids.update((transfer.debit_account_id, transfer.credit_account_id))
        accounts = [database.accounts[id_] for id_ in account_ids if id_ in database.accounts]
        account_ids.update(self._for_fees(accounts, payments))
        return Records(
            answers=[database.answers[key] for key in wanted.answers if key in database.answers],
            accounts=[database.accounts[id_] for id_ in account_ids if id_ in database.accounts],
            payments=payments,
            holders=holders,
            references_taken=[reference for reference in wanted.references if reference in database.references],
            user_ids_taken=[user_id for user_id in wanted.user_ids if user_id in database.users],
            emails_taken=[email for email in wanted.emails if email in database.user_ids],
            transactions=transactions,
            quotes=quotes,
            latest_at=database.latest_at,
        )

    async def commit(self, changes: Changes) -> None:
        """As `UnitOfWork.commit`. Checks first and writes then, so that nothing is written by halves."""
        self._check_unique_keys(changes)
        database = self._database
        for new in changes.users_new:
            database.users[new.user.id] = Credentials(user=new.user, password_hash=new.password_hash)
            database.user_ids[new.user.email] = new.user.id
        for account in changes.accounts_new:
            database.accounts[account.id] = account
            database.account_ids[account.key] = account.id
            database.holders.add(Holder(account.owner_id, account.kind))
        for account in changes.accounts_changed:
            database.accounts[account.id] = account
        for payment in (*changes.payments_new, *changes.payments_changed):
            self._write_payment(payment)
        database.quotes |= {quote.id: quote for quote in (*changes.quotes_new, *changes.quotes_changed)}
        for transaction in changes.transactions_new:
            database.transactions[transaction.id] = transaction
        database.reversals |= {new.reverses: new.id for new in changes.transactions_new if new.reverses is not None}
        database.refunds |= {refund.id: refund for refund in changes.refunds_new}
        database.events.extend(changes.events_new)
        for answer in changes.answers_new:
            database.answers[answer.key] = answer
        if changes.latest_at is not None:
            database.latest_at = max(changes.latest_at, database.latest_at or changes.latest_at)

    def _write_payment(self, payment: Payment) -> None:
        database = self._database
        before = database.payments.get(payment.id)
        if before is not None and before.reference_held is not None:
            database.references.discard(before.reference_held)
        if payment.reference_held is not None:
            database.references.add(payment.reference_held)
        if payment.quote_id is not None:
            database.quotes_of_payments.add(payment.quote_id)
        database.payments[payment.id] = payment

    def _accounts_of(self, payment: Payment) -> list[AccountId]:
        currency = payment.amount.currency
        keys = [AccountKey(payment.merchant_id, currency, AccountKind.MERCHANT)]
        if payment.customer_id is not None:
            keys.append(AccountKey(payment.customer_id, currency, AccountKind.CUSTOMER))
        return self._ids_of(keys)

    def _quotes(self, wanted: Wanted, payments: Iterable[Payment]) -> list[Quote]:
        ids: set[QuoteId] = {
            *wanted.quotes,
            *(payment.quote_id for payment in payments if payment.quote_id is not None),
        }
        return [self._database.quotes[id_] for id_ in ids if id_ in self._database.quotes]

    def _accounts_across(self, quote: Quote) -> list[AccountId]:
        source, target = quote.source.currency, quote.target.currency
        keys = [
            AccountKey(quote.customer_id, source, AccountKind.CUSTOMER),
            *(system_account(AccountKind.EXCHANGE, currency) for currency in (source, target)),
            *((system_account(AccountKind.FEES, source),) if quote.spread_minor else ()),
        ]
        return self._ids_of(keys)

    def _payers(self, wanted: Wanted) -> list[AccountKey]:
        payments = self._database.payments
        return [
            AccountKey(payer.customer_id, payments[payer.payment_id].amount.currency, AccountKind.CUSTOMER)
            for payer in wanted.payers
            if payer.payment_id in payments
        ]

    def _for_fees(self, accounts: Iterable[Account], payments: Iterable[Payment]) -> list[AccountId]:
        currencies = {account.currency for account in accounts if any(account.fees)}
        currencies |= {payment.amount.currency for payment in payments if payment.fee_amount_minor}
        return self._ids_of([system_account(AccountKind.FEES, currency) for currency in currencies])

    def _ids_of(self, keys: Iterable[AccountKey]) -> list[AccountId]:
        return [self._database.account_ids[key] for key in keys if key in self._database.account_ids]

    def _transaction(self, transaction_id: TransactionId) -> Transaction:
        found = self._database.transactions[transaction_id]
        return replace(found, reversed_by=self._database.reversals.get(transaction_id))

    def _check_unique_keys(self, changes: Changes) -> None:
        database = self._database
        taken = (
            any(answer.key in database.answers for answer in changes.answers_new)
            or any(new.user.email in database.user_ids for new in changes.users_new)
            or any(new.user.id in database.users for new in changes.users_new)
            or any(account.key in database.account_ids for account in changes.accounts_new)
            or any(transaction.reverses in database.reversals for transaction in changes.transactions_new)
            or any(payment.reference_held in database.references for payment in changes.payments_new)
            or not database.quotes_of_payments.isdisjoint([payment.quote_id for payment in changes.payments_new])
        )
        if taken:
            raise KeyTaken
        new_ids = (
            (database.accounts, changes.accounts_new),
            (database.payments, changes.payments_new),
            (database.quotes, changes.quotes_new),
        )
        if any(not there.keys().isdisjoint([record.id for record in new]) for there, new in new_ids):
            raise StorageRefused("A new record has the id of another one.")

    async def __aenter__(self) -> Self:
        """Wait for the running transaction to end."""
        await self._database.transaction.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let the next one in."""
        self._database.transaction.release()
