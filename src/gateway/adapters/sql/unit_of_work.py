"""One transaction: load what is wanted, locked; then write all changes and commit, or nothing."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from sqlalchemy import Executable

from gateway.adapters.sql.order import Order
from gateway.adapters.sql.rows import (
    Values,
    account_changes,
    account_values,
    answer_values,
    event_batch_values,
    event_values,
    payment_changes,
    payment_values,
    quote_changes,
    quote_values,
    refund_values,
    to_account,
    to_answer,
    to_latest_at,
    to_payment,
    to_quote,
    to_transactions,
    transfer_values,
    user_values,
)
from gateway.adapters.sql.sqlalchemy_transaction import Parameters
from gateway.adapters.sql.types import Found
from gateway.application.ports.unit_of_work import (
    AnswerKey,
    Changes,
    Holder,
    KeyTaken,
    Payer,
    Records,
    StorageRefused,
    Wanted,
)
from gateway.application.views import event_data
from gateway.domain.account import Account, AccountId, AccountKey, AccountKind, system_account
from gateway.domain.payment import Payment, PaymentId, PaymentReference, QuoteId
from gateway.domain.quote import Quote
from gateway.domain.transaction import Transaction as LedgerTransaction
from gateway.domain.transaction import TransactionId
from gateway.domain.user import UserId

Rows: TypeAlias = Sequence[Found]
Writes: TypeAlias = Mapping[str, Sequence[Values]]
"""Rows to write, by the field of `Changes` that they come from."""


class Statements(Protocol):
    """A connection, taken at the beginning of an `async with` and given back at its end."""

    async def rows(self, statement: Executable, parameters: Parameters | None = None) -> Rows:
        """Run a statement and fetch all its rows."""
        ...

    async def commit(self) -> None:
        """Commit the transaction that runs."""
        ...

    async def __aenter__(self) -> Self:
        """Take the connection."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Roll back what was not committed, and give the connection back."""
        ...


class SqlUnitOfWork(ABC):
    """See the port. The order of things is here; how each is asked for is the database's own."""

    def __init__(self, statements: Statements, order: Order) -> None:
        self._statements = statements
        self._order = order
        self._versions: dict[str, int] = {}
        """Of everything that was loaded and may be replaced, by its id."""

    async def load(self, wanted: Wanted) -> Records:
        """As `UnitOfWork.load`. What nobody wants costs no round trip."""
        await self._prepare(wanted)
        # Payments first, then quotes, then accounts, each in the order of their ids: if all batches lock in one order,
        # none of them can wait for another one that waits for it. The accounts for fees come last, for who needs them
        # is known late.
        payments = [to_payment(row) for row in await self._lock_payments(wanted.payments)] if wanted.payments else []
        quote_ids = {*wanted.quotes, *(payment.quote_id for payment in payments if payment.quote_id is not None)}
        quotes = [to_quote(row) for row in await self._lock_quotes(quote_ids)] if quote_ids else []
        transactions = (
            to_transactions(await self._find_transactions(wanted.transactions)) if wanted.transactions else []
        )
        keys = {*wanted.account_keys, *_accounts_of(payments), *_payers_of(payments, wanted.payers)}
        keys.update(_accounts_across(quotes))
        for_fees = {key for key in keys if key.kind is AccountKind.FEES}
        keys -= for_fees
        ids = {*wanted.account_ids, *_accounts_between(transactions)}
        accounts: list[Account] = []
        if keys or ids:
            accounts = await self._accounts(keys, ids)
        for_fees |= _accounts_for_fees(accounts, payments)
        if for_fees:
            accounts += await self._accounts(for_fees, ())
        missing: set[Holder] = set()
        if len(accounts) < len(keys) + len(for_fees) + len(ids):
            found = {account.key for account in accounts}
            missing = {Holder(key.owner_id, key.kind) for key in (keys | for_fees) - found}
        answers = await self._find_answers(wanted.answers) if wanted.answers else ()
        self._versions = {payment.id: payment.version for payment in payments}
        self._versions |= {quote.id: quote.version for quote in quotes}
        self._versions |= {account.id: account.version for account in accounts}
        references = await self._find_references(wanted.references) if wanted.references else ()
        emails = await self._find_emails(wanted.emails) if wanted.emails else ()
        user_ids = await self._find_user_ids(wanted.user_ids) if wanted.user_ids else ()
        holders = await self._find_holders(missing) if missing else ()
        return Records(
            answers=[to_answer(row) for row in answers],
            accounts=accounts,
            payments=payments,
            holders=[Holder(row[0], AccountKind(row[1])) for row in holders],
            references_taken=[PaymentReference(*row) for row in references],
            emails_taken=[row[0] for row in emails],
            user_ids_taken=[row[0] for row in user_ids],
            transactions=transactions,
            quotes=quotes,
            latest_at=self._order.latest_at,
        )

    async def commit(self, changes: Changes) -> None:
        """As `UnitOfWork.commit`. Cancelled before the COMMIT itself, it rolls back; after that, it sees it through."""
        writes = self._writes(changes)
        for name, count in (await self._write(writes)).items():
            if count == len(writes[name]):
                continue
            if name == "answers_new":
                raise KeyTaken("Another transaction has answered one of the idempotency keys.")
            raise RuntimeError(
                f"{count} of {len(writes[name])} rows of {name} were written: they are not what was loaded."
            )
        await self._statements.commit()
        self._order.committed(writes.get("ids_ahead", ()))

    def _writes(self, changes: Changes) -> Writes:
        """The rows of everything that there is any of."""
        self._order.notice([changes.latest_at])
        writes = writes_of(changes, self._versions, self._order.latest_at)
        ahead = self._order.ahead(changes)
        return {"ids_ahead": ahead, **writes} if ahead else writes

    async def _accounts(self, keys: Collection[AccountKey], ids: Collection[AccountId]) -> list[Account]:
        """Accounts by key or by id, each once."""
        rows = await self._lock_accounts(keys, ids)
        self._order.notice(map(to_latest_at, rows))
        return [to_account(row) for row in rows]

    @abstractmethod
    async def _prepare(self, wanted: Wanted) -> None:
        """Begin the transaction in which all of this is loaded, unless it has begun."""

    @abstractmethod
    async def _lock_payments(self, ids: Collection[PaymentId]) -> Rows:
        """Payments, locked in the order of their ids."""

    @abstractmethod
    async def _lock_quotes(self, ids: Collection[QuoteId]) -> Rows:
        """Quotes, locked in the order of their ids."""

    @abstractmethod
    async def _lock_accounts(self, keys: Collection[AccountKey], ids: Collection[AccountId]) -> Rows:
        """Accounts by key or by id, each once, locked in the order of their ids."""

    @abstractmethod
    async def _find_transactions(self, ids: Collection[TransactionId]) -> Rows:
        """The transfers of transactions, in their order, each with the id of what reverses it."""

    @abstractmethod
    async def _find_answers(self, keys: Collection[AnswerKey]) -> Rows:
        """Answers by key."""

    @abstractmethod
    async def _find_references(self, references: Collection[PaymentReference]) -> Rows:
        """Those of `references` that payments have."""

    @abstractmethod
    async def _find_emails(self, emails: Collection[str]) -> Rows:
        """Those of `emails` that users have."""

    @abstractmethod
    async def _find_user_ids(self, user_ids: Collection[UserId]) -> Rows:
        """Those of `user_ids` that users have."""

    @abstractmethod
    async def _find_holders(self, holders: Collection[Holder]) -> Rows:
        """Those of `holders` who have an account of that kind."""

    @abstractmethod
    async def _write(self, writes: Writes) -> Mapping[str, int]:
        """Write everything, answers last; how many rows were written of each."""

    async def __aenter__(self) -> Self:
        """Take a connection; on SQLite, wait for the running transaction to end."""
        await self._statements.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Roll back what was not committed, and give the connection back."""
        await self._statements.__aexit__(kind, error, traceback)


def _accounts_of(payments: Iterable[Payment]) -> Iterator[AccountKey]:
    """Those of a payment's parties. Nobody may have confirmed it yet."""
    for payment in payments:
        currency = payment.amount.currency
        yield AccountKey(payment.merchant_id, currency, AccountKind.MERCHANT)
        if payment.customer_id is not None:
            yield AccountKey(payment.customer_id, currency, AccountKind.CUSTOMER)


def _payers_of(payments: Iterable[Payment], payers: Collection[Payer]) -> Iterator[AccountKey]:
    """Those of whoever wants to confirm a payment."""
    if payers:
        currencies = {payment.id: payment.amount.currency for payment in payments}
        for payer in payers:
            if payer.payment_id in currencies:
                yield AccountKey(payer.customer_id, currencies[payer.payment_id], AccountKind.CUSTOMER)


def _accounts_across(quotes: Iterable[Quote]) -> Iterator[AccountKey]:
    """Those that a payment with a quote moves money between, but for the merchant's."""
    for quote in quotes:
        source, target = quote.source.currency, quote.target.currency
        yield AccountKey(quote.customer_id, source, AccountKind.CUSTOMER)
        yield system_account(AccountKind.EXCHANGE, source)
        yield system_account(AccountKind.EXCHANGE, target)
        if quote.spread_minor:
            yield system_account(AccountKind.FEES, source)


def _accounts_between(transactions: Iterable[LedgerTransaction]) -> Iterator[AccountId]:
    """Those that transactions moved money between."""
    for transaction in transactions:
        for transfer in transaction.transfers:
            yield transfer.debit_account_id
            yield transfer.credit_account_id


def _accounts_for_fees(accounts: Iterable[Account], payments: Iterable[Payment]) -> set[AccountKey]:
    """The gateway's own, where a merchant is charged fees or a payment was."""
    currencies = {account.currency for account in accounts if any(account.fees)}
    currencies.update(payment.amount.currency for payment in payments if payment.fee_amount_minor)
    return {system_account(AccountKind.FEES, currency) for currency in currencies}


def writes_of(changes: Changes, versions: Mapping[str, int], latest_at: datetime | None) -> Writes:
    """The rows of everything that there is any of. What replaces something has the version behind it that it replaces.

    What others may write too is sorted by its key: writing waits for them, as locking does, and so it has one order.

    Raises:
        StorageRefused: A text has a lone surrogate, of which no JSON is made.
    """
    try:
        return _writes_of(changes, versions, latest_at)
    except UnicodeEncodeError as error:
        raise StorageRefused("A text has a character that cannot be kept.") from error


def _writes_of(changes: Changes, versions: Mapping[str, int], latest_at: datetime | None) -> Writes:
    users = sorted(changes.users_new, key=lambda new: new.user.email)
    accounts = sorted(changes.accounts_new, key=attrgetter("key"))
    changed = sorted(changes.accounts_changed, key=attrgetter("id"))
    answers = sorted(changes.answers_new, key=attrgetter("key"))
    data_of = {event.id: event_data(event) for event in changes.events_new}
    writes: dict[str, list[Values]] = {
        "users_new": [user_values(user) for user in users],
        "accounts_new": [account_values(account, latest_at) for account in accounts],
        "accounts_changed": [
            (*account_changes(account, latest_at), _version_before(account, versions)) for account in changed
        ],
        "payments_new": [payment_values(payment) for payment in changes.payments_new],
        "payments_changed": [
            (*payment_changes(payment), _version_before(payment, versions)) for payment in changes.payments_changed
        ],
        "transactions_new": [row for transaction in changes.transactions_new for row in transfer_values(transaction)],
        "quotes_new": [quote_values(quote) for quote in changes.quotes_new],
        "quotes_changed": [
            (*quote_changes(quote), _version_before(quote, versions)) for quote in changes.quotes_changed
        ],
        "refunds_new": [refund_values(refund) for refund in changes.refunds_new],
        "event_batches_new": [event_batch_values(changes.events_new)] if changes.events_new else [],
        "events_new": [event_values(event, data_of[event.id], index) for index, event in enumerate(changes.events_new)],
        "answers_new": [answer_values(answer, data_of) for answer in answers],
    }
    return {name: rows for name, rows in writes.items() if rows}


def _version_before(changed: Account | Payment | Quote, versions: Mapping[str, int]) -> int:
    before = versions.get(changed.id)
    if before is None or changed.version <= before:
        raise RuntimeError(f"{changed.id} is no change of what was loaded.")
    return before
