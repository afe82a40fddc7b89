"""The queries of a unit of work on Postgres. Each takes one round trip, for any number of records."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from typing_extensions import override

from gateway.adapters.sql.asyncpg_transaction import AsyncpgTransaction, compiled
from gateway.adapters.sql.constant_columns import Constant, ConstantColumns
from gateway.adapters.sql.loading import Queries, Rows
from gateway.adapters.sql.owner_locks import (
    LOCK_API_KEYS,
    LOCK_KEY_OWNERS,
    LOCK_MEMBERS,
    LOCK_MERCHANTS,
    LOCK_WEBHOOK_ENDPOINTS,
    LOCK_WEBHOOK_OWNERS,
)
from gateway.adapters.sql.postgres_reads import (
    ACCOUNT_HOLDER,
    ACCOUNT_KEY,
    ANSWER_KEY,
    CLAIM_KEYS,
    EXTERNAL_ID,
    FIND_ACCOUNT_HOLDERS,
    FIND_ACCOUNTS_OF,
    FIND_ANSWERS,
    FIND_EMAILS,
    FIND_EXTERNAL_IDS,
    FIND_REFERENCES,
    FIND_TRANSACTIONS,
    FIND_USER_IDS,
    LOCK_ACCOUNTS,
    LOCK_CUSTOMERS,
    LOCK_PAYMENT_COUNTERS,
    LOCK_PAYMENTS,
    LOCK_QUOTES,
    LOCK_USERS,
    READ_ACCOUNTS,
    READ_ACCOUNTS_BY_KEY,
    REFERENCE,
    arrays,
)
from gateway.adapters.sql.postgres_statements import arguments_of, parameters_of, write_statement
from gateway.adapters.sql.writing import Writes
from gateway.application.ports.batch_records import AccountHolder, AnswerKey
from gateway.domain.account import AccountId, AccountKey
from gateway.domain.customer import ExternalId
from gateway.domain.payment import PaymentId, PaymentReference, QuoteId
from gateway.domain.transaction import TransactionId
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import EndpointId

WRITES_KEPT_MAX: Final = 512
"""Compiled statements that write: one for each combination of parts and shapes."""


class PostgresQueries(Queries):
    """See `Queries`.

    Attributes:
        may_be_answered: Whether one of the batch's idempotency keys may have an answer. The statement that reads
            accounts tells, which saves nearly every batch the query for answers.
        has_read_accounts: Whether it did.
    """

    def __init__(self, transaction: AsyncpgTransaction, answers: Collection[AnswerKey], *, locks: bool) -> None:
        self._transaction = transaction
        self._answers = answers
        self._locks = locks
        self.may_be_answered = True
        self.has_read_accounts = False

    @override
    async def users(self, ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(LOCK_USERS, {"ids": list(ids)})

    @override
    async def accounts_of(self, owner_ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_ACCOUNTS_OF, {"owner_ids": list(owner_ids)})

    @override
    async def payments(self, ids: Collection[PaymentId]) -> Rows:
        return await self._transaction.rows(LOCK_PAYMENTS, {"ids": list(ids)})

    @override
    async def quotes(self, ids: Collection[QuoteId]) -> Rows:
        return await self._transaction.rows(LOCK_QUOTES, {"ids": list(ids)})

    @override
    async def payment_counters(self, customer_ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(LOCK_PAYMENT_COUNTERS, {"ids": list(customer_ids)})

    @override
    async def transactions(self, ids: Collection[TransactionId]) -> Rows:
        return await self._transaction.rows(FIND_TRANSACTIONS, {"ids": list(ids)})

    @override
    async def accounts(self, keys: Collection[AccountKey], ids: Collection[AccountId]) -> Rows:
        read = READ_ACCOUNTS if ids else READ_ACCOUNTS_BY_KEY
        found = await self._transaction.rows(
            LOCK_ACCOUNTS if self._locks else read,
            {
                "ids": list(ids),
                **arrays("wanted", ACCOUNT_KEY, keys),
                **arrays("answered", ANSWER_KEY, self._answers),
            },
        )
        self.has_read_accounts = True
        self.may_be_answered = found[0][-1] if found else True
        return found

    @override
    async def webhook_endpoints(self, ids: Collection[EndpointId], owner_ids: Collection[UserId]) -> Rows:
        if owner_ids:
            await self._transaction.rows(LOCK_WEBHOOK_OWNERS, {"owner_ids": list(owner_ids)})
        return await self._transaction.rows(LOCK_WEBHOOK_ENDPOINTS, {"ids": list(ids), "owner_ids": list(owner_ids)})

    @override
    async def api_keys(self, owner_ids: Collection[UserId]) -> Rows:
        await self._transaction.rows(LOCK_KEY_OWNERS, {"owner_ids": list(owner_ids)})
        return await self._transaction.rows(LOCK_API_KEYS, {"owner_ids": list(owner_ids)})

    @override
    async def members(self, merchant_ids: Collection[UserId]) -> Rows:
        await self._transaction.rows(LOCK_MERCHANTS, {"owner_ids": list(merchant_ids)})
        return await self._transaction.rows(LOCK_MEMBERS, {"owner_ids": list(merchant_ids)})

    @override
    async def answers(self, keys: Collection[AnswerKey]) -> Rows:
        return await self.answers_of(keys) if self.may_be_answered else ()

    async def answers_of(self, keys: Collection[AnswerKey]) -> Rows:
        """Answers by key, whatever is known of them."""
        return await self._transaction.rows(FIND_ANSWERS, arrays("wanted", ANSWER_KEY, keys))

    async def wait_for(self, keys: Collection[AnswerKey]) -> None:
        """Wait for transactions that have written answers under these keys, before anything else is locked."""
        await self._transaction.try_out(CLAIM_KEYS, arrays("claimed", ANSWER_KEY, sorted(keys)))

    @override
    async def references(self, references: Collection[PaymentReference]) -> Rows:
        return await self._transaction.rows(FIND_REFERENCES, arrays("wanted", REFERENCE, references))

    @override
    async def emails(self, emails: Collection[str]) -> Rows:
        return await self._transaction.rows(FIND_EMAILS, {"wanted_email": list(emails)})

    @override
    async def user_ids(self, user_ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(FIND_USER_IDS, {"wanted_id": list(user_ids)})

    @override
    async def account_holders(self, account_holders: Collection[AccountHolder]) -> Rows:
        keys = [(holder.owner_id, holder.kind) for holder in account_holders]
        return await self._transaction.rows(FIND_ACCOUNT_HOLDERS, arrays("wanted", ACCOUNT_HOLDER, keys))

    @override
    async def customers(self, ids: Collection[UserId]) -> Rows:
        return await self._transaction.rows(LOCK_CUSTOMERS, {"ids": list(ids)})

    @override
    async def external_ids(self, external_ids: Collection[ExternalId]) -> Rows:
        return await self._transaction.rows(FIND_EXTERNAL_IDS, arrays("wanted", EXTERNAL_ID, external_ids))


class Statement(NamedTuple):
    """The text of a statement, with its arguments."""

    text: str
    arguments: Sequence[Any]


class _Write(NamedTuple):
    """A compiled `write_statement`, with the place of each of its arguments among those of `arguments_of`."""

    text: str
    places: Sequence[int]


def statement_of(writes: Writes, constant_columns: ConstantColumns, *, checked: bool) -> Statement:
    """One statement that writes all rows. See `write_statement`."""
    arguments: list[Any] = []
    parts: list[tuple[str, Constant]] = []
    for name, rows in writes.items():
        values = list(zip(*rows, strict=True))
        constant = constant_columns.of(name, values)
        parts.append((name, constant))
        arguments += arguments_of(values, constant)
    text, places = _compiled_write(tuple(parts), checked=checked)
    return Statement(text, [arguments[place] for place in places])


@lru_cache(maxsize=WRITES_KEPT_MAX)
def _compiled_write(parts: tuple[tuple[str, Constant], ...], *, checked: bool) -> _Write:
    text, names = compiled(write_statement(parts, checked=checked))
    place_of = {name: place for place, name in enumerate(parameters_of(parts))}
    return _Write(text, [place_of[name] for name in names])
