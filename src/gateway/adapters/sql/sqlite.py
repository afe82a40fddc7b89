"""A unit of work on SQLite. Its transaction locks the whole file, so no row is locked."""

from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import Column, bindparam, or_, select, tuple_
from sqlalchemy.sql import ColumnElement
from typing_extensions import override

from gateway.adapters.sql.hybrid_clock import HybridClock
from gateway.adapters.sql.loading import Queries, Rows, StoredAccounts, load_records
from gateway.adapters.sql.rows.values import Values
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.sqlite_writes import PARTS, parameter_of
from gateway.adapters.sql.subqueries import DATA_OF_EVENT, REVERSED_BY
from gateway.adapters.sql.tables.access import api_keys, users
from gateway.adapters.sql.tables.customers import customers
from gateway.adapters.sql.tables.events import answers
from gateway.adapters.sql.tables.exchange import quotes
from gateway.adapters.sql.tables.ledger import accounts, payments, transfers
from gateway.adapters.sql.tables.members import members
from gateway.adapters.sql.tables.risk import payment_counters
from gateway.adapters.sql.tables.webhooks import webhook_endpoints
from gateway.adapters.sql.writing import (
    IDS_AHEAD,
    Versions,
    check_counts,
    rows_to_write,
    versions_of,
)
from gateway.application.ports.batch_records import AccountHolder, AnswerKey
from gateway.application.ports.unit_of_work import Changes, Records, UnitOfWork, Wanted
from gateway.domain.account import AccountId, AccountKey
from gateway.domain.customer import ExternalId
from gateway.domain.payment import PaymentId, PaymentReference, QuoteId
from gateway.domain.transaction import TransactionId
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import EndpointId


def _among(parameter: str, *of: Column[Any]) -> ColumnElement[bool]:
    return tuple_(*of).in_(bindparam(parameter, expanding=True))


FIND_USERS: Final = select(users).where(users.c.id.in_(bindparam("ids", expanding=True)))
FIND_ACCOUNTS_OF: Final = select(accounts.c.id).where(accounts.c.owner_id.in_(bindparam("owner_ids", expanding=True)))
FIND_PAYMENTS: Final = select(payments).where(payments.c.id.in_(bindparam("ids", expanding=True)))
FIND_QUOTES: Final = select(quotes).where(quotes.c.id.in_(bindparam("ids", expanding=True)))
FIND_COUNTERS: Final = select(payment_counters).where(payment_counters.c.id.in_(bindparam("ids", expanding=True)))
FIND_ACCOUNTS_BY_KEY: Final = select(accounts).where(
    _among("keys", accounts.c.owner_id, accounts.c.currency, accounts.c.kind)
)
FIND_ACCOUNTS_BY_ID: Final = select(accounts).where(accounts.c.id.in_(bindparam("ids", expanding=True)))
FIND_TRANSACTIONS: Final = (
    select(transfers, REVERSED_BY)
    .where(transfers.c.transaction_id.in_(bindparam("ids", expanding=True)))
    .order_by(transfers.c.transaction_id, transfers.c.position)
)
FIND_ANSWERS: Final = select(answers, DATA_OF_EVENT).where(_among("keys", answers.c.owner_id, answers.c.key))
_REFERENCE: Final = (payments.c.merchant_id, payments.c.reference, payments.c.reference_held_by)
FIND_WEBHOOK_ENDPOINTS: Final = select(webhook_endpoints).where(
    or_(
        webhook_endpoints.c.id.in_(bindparam("ids", expanding=True)),
        webhook_endpoints.c.owner_id.in_(bindparam("owner_ids", expanding=True)),
    )
)
FIND_API_KEYS: Final = select(api_keys).where(api_keys.c.owner_id.in_(bindparam("owner_ids", expanding=True)))
FIND_MEMBERS: Final = select(members).where(members.c.merchant_id.in_(bindparam("merchant_ids", expanding=True)))
FIND_REFERENCES: Final = select(*_REFERENCE).where(payments.c.reference.is_not(None), _among("references", *_REFERENCE))
FIND_EMAILS: Final = select(users.c.email).where(users.c.email.in_(bindparam("emails", expanding=True)))
FIND_USER_IDS: Final = select(users.c.id).where(users.c.id.in_(bindparam("user_ids", expanding=True)))
FIND_ACCOUNT_HOLDERS: Final = (
    select(accounts.c.owner_id, accounts.c.kind, accounts.c.managed_by)
    .where(_among("account_holders", accounts.c.owner_id, accounts.c.kind))
    .distinct()
)
FIND_CUSTOMERS: Final = select(customers).where(customers.c.id.in_(bindparam("ids", expanding=True)))
_EXTERNAL_ID: Final = (customers.c.merchant_id, customers.c.external_id)
FIND_EXTERNAL_IDS: Final = select(*_EXTERNAL_ID).where(_among("external_ids", *_EXTERNAL_ID))


class SqliteQueries(Queries):
    """See `Queries`. The transaction has locked the whole file, so no row is locked."""

    def __init__(self, transaction: DatabaseTransaction) -> None:
        self._transaction = transaction

    @override
    async def users(self, ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_USERS, {"ids": list(ids)})

    @override
    async def accounts_of(self, owner_ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_ACCOUNTS_OF, {"owner_ids": list(owner_ids)})

    @override
    async def payments(self, ids: Collection[PaymentId]) -> Rows:
        return await self._transaction.rows(FIND_PAYMENTS, {"ids": list(ids)})

    @override
    async def quotes(self, ids: Collection[QuoteId]) -> Rows:
        return await self._transaction.rows(FIND_QUOTES, {"ids": list(ids)})

    @override
    async def payment_counters(self, customer_ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_COUNTERS, {"ids": list(customer_ids)})

    @override
    async def transactions(self, ids: Collection[TransactionId]) -> Rows:
        return await self._transaction.rows(FIND_TRANSACTIONS, {"ids": list(ids)})

    @override
    async def accounts(self, keys: Collection[AccountKey], ids: Collection[AccountId]) -> Rows:
        by_key = await self._transaction.rows(FIND_ACCOUNTS_BY_KEY, {"keys": list(keys)}) if keys else ()
        by_id = await self._transaction.rows(FIND_ACCOUNTS_BY_ID, {"ids": list(ids)}) if ids else ()
        return list({row[0]: row for row in (*by_key, *by_id)}.values())

    @override
    async def webhook_endpoints(self, ids: Collection[EndpointId], owner_ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_WEBHOOK_ENDPOINTS, {"ids": list(ids), "owner_ids": list(owner_ids)})

    @override
    async def api_keys(self, owner_ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_API_KEYS, {"owner_ids": list(owner_ids)})

    @override
    async def members(self, merchant_ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_MEMBERS, {"merchant_ids": list(merchant_ids)})

    @override
    async def answers(self, keys: Collection[AnswerKey]) -> Rows:
        return await self._transaction.rows(FIND_ANSWERS, {"keys": list(keys)})

    @override
    async def references(self, references: Collection[PaymentReference]) -> Rows:
        return await self._transaction.rows(FIND_REFERENCES, {"references": list(references)})

    @override
    async def emails(self, emails: Collection[str]) -> Rows:
        return await self._transaction.rows(FIND_EMAILS, {"emails": list(emails)})

    @override
    async def user_ids(self, user_ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_USER_IDS, {"user_ids": list(user_ids)})

    @override
    async def account_holders(self, account_holders: Collection[AccountHolder]) -> Rows:
        keys = [(holder.owner_id, holder.kind) for holder in account_holders]
        return await self._transaction.rows(FIND_ACCOUNT_HOLDERS, {"account_holders": keys})

    @override
    async def customers(self, ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_CUSTOMERS, {"ids": list(ids)})

    @override
    async def external_ids(self, external_ids: Collection[ExternalId]) -> Rows:
        return await self._transaction.rows(FIND_EXTERNAL_IDS, {"external_ids": list(external_ids)})


class SqliteUnitOfWork(UnitOfWork):
    """See the port. There are no round trips to save: one statement for each kind of record."""

    def __init__(self, transaction: DatabaseTransaction, clock: HybridClock) -> None:
        self._transaction = transaction
        self._clock = clock
        self._versions: Versions = {}

    @override
    async def load(self, wanted: Wanted) -> Records:
        queries = SqliteQueries(self._transaction)
        records = await load_records(wanted, queries, StoredAccounts(queries, self._clock), self._clock)
        self._versions = versions_of(records)
        return records

    @override
    async def commit(self, changes: Changes) -> None:
        """Cancelled before the COMMIT it rolls back; cancelled during it, it finishes it."""
        writes = await rows_to_write(changes, self._versions, self._clock)
        counts = {name: await self._write(name, rows) for name, rows in writes.items()}
        check_counts(writes, counts)
        await self._transaction.commit()
        self._clock.committed(writes.get(IDS_AHEAD, ()))

    async def _write(self, name: str, rows: Sequence[Values]) -> int:
        columns, statement = PARTS[name]
        names = [parameter_of(each) for each in columns]
        return await self._transaction.change(statement, [dict(zip(names, row, strict=True)) for row in rows])

    async def __aenter__(self) -> Self:
        """Wait for the transaction of another unit of work to end, and begin."""
        await self._transaction.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Roll back what was not committed."""
        await self._transaction.__aexit__(kind, error, traceback)
