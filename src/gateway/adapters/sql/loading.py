"""Loading what a batch wants: few statements, each for a set, in the order in which locks are taken."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias, TypeVar

from gateway.adapters.sql.hybrid_clock import HybridClock
from gateway.adapters.sql.rows.accounts import to_account, to_latest_at
from gateway.adapters.sql.rows.api_keys import to_api_key
from gateway.adapters.sql.rows.customers import to_customer
from gateway.adapters.sql.rows.events import to_answer
from gateway.adapters.sql.rows.members import to_member
from gateway.adapters.sql.rows.payment_counters import to_payment_counters
from gateway.adapters.sql.rows.payments import to_payment
from gateway.adapters.sql.rows.quotes import to_quote
from gateway.adapters.sql.rows.transactions import to_transactions
from gateway.adapters.sql.rows.users import to_user
from gateway.adapters.sql.rows.webhook_endpoints import to_webhook_endpoint
from gateway.adapters.sql.types import Found
from gateway.application.ports.batch_records import AccountHolder, AnswerKey
from gateway.application.ports.related_records import (
    account_holders_to_find,
    accounts_to_load,
    counters_to_load,
    fee_accounts_to_load,
    quotes_to_load,
)
from gateway.application.ports.unit_of_work import Records, Wanted
from gateway.domain.account import Account, AccountId, AccountKey, AccountKind
from gateway.domain.customer import ExternalId
from gateway.domain.payment import PaymentId, PaymentReference, QuoteId
from gateway.domain.transaction import TransactionId
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import EndpointId, WebhookEndpoint

Rows: TypeAlias = Sequence[Found]
Key = TypeVar("Key")


class Queries(Protocol):
    """The statements of one database. Statements that lock do so in the order of ids."""

    async def users(self, ids: Collection[UserId]) -> Rows:
        """Users, locked."""
        ...

    async def accounts_of(self, owner_ids: Collection[UserId]) -> Rows:
        """The ids of all accounts of these owners."""
        ...

    async def payments(self, ids: Collection[PaymentId]) -> Rows:
        """Payments, locked."""
        ...

    async def quotes(self, ids: Collection[QuoteId]) -> Rows:
        """Quotes, locked."""
        ...

    async def payment_counters(self, customer_ids: Collection[UserId]) -> Rows:
        """The payment counters of customers, locked."""
        ...

    async def transactions(self, ids: Collection[TransactionId]) -> Rows:
        """The transfers of transactions in their order, each with the id of the transaction that reverses it."""
        ...

    async def accounts(self, keys: Collection[AccountKey], ids: Collection[AccountId]) -> Rows:
        """Accounts by key or by id, each once; locked, or read if the commit compares their versions."""
        ...

    async def webhook_endpoints(self, ids: Collection[EndpointId], owner_ids: Collection[UserId]) -> Rows:
        """Webhook endpoints by id or by owner, each once; locked. No other transaction creates one for these owners."""
        ...

    async def api_keys(self, owner_ids: Collection[UserId]) -> Rows:
        """The API keys of owners, locked. No other transaction creates one for these owners."""
        ...

    async def members(self, merchant_ids: Collection[UserId]) -> Rows:
        """The members of merchants, locked. No other transaction creates one for these merchants."""
        ...

    async def answers(self, keys: Collection[AnswerKey]) -> Rows:
        """Answers by key."""
        ...

    async def references(self, references: Collection[PaymentReference]) -> Rows:
        """The given references that payments have."""
        ...

    async def emails(self, emails: Collection[str]) -> Rows:
        """The given addresses that users have."""
        ...

    async def user_ids(self, user_ids: Collection[UserId]) -> Rows:
        """The given ids that users have."""
        ...

    async def account_holders(self, account_holders: Collection[AccountHolder]) -> Rows:
        """The given owners who have an account of the given kind, each with the merchant who manages them."""
        ...

    async def customers(self, ids: Collection[UserId]) -> Rows:
        """Customers whom a merchant manages, locked."""
        ...

    async def external_ids(self, external_ids: Collection[ExternalId]) -> Rows:
        """The given external ids that customers have."""
        ...


class Accounts(Protocol):
    """Where accounts come from: the database, or a cache in front of it.

    Attributes:
        are_cached: Whether any of those that were loaded come from the cache.
    """

    are_cached: bool

    async def load(self, keys: Collection[AccountKey], ids: Collection[AccountId]) -> list[Account]:
        """Accounts by key or by id, each once."""
        ...


class StoredAccounts:
    """Accounts from the database."""

    are_cached = False

    def __init__(self, queries: Queries, clock: HybridClock) -> None:
        self._queries = queries
        self._clock = clock

    async def load(self, keys: Collection[AccountKey], ids: Collection[AccountId]) -> list[Account]:
        """Run one statement."""
        rows = await self._queries.accounts(keys, ids)
        self._clock.notice(map(to_latest_at, rows))
        return [to_account(row) for row in rows]


async def load_records(wanted: Wanted, queries: Queries, stored: Accounts, clock: HybridClock) -> Records:
    """Load what is wanted and what comes along with it. A kind of record that is not wanted costs no round trip.

    Locks are taken on users, then customers, payments, quotes, payment counters, accounts, accounts for fees, webhook
    endpoints, API keys and members: batches that lock in one order never wait for each other in a circle.
    """
    users = [to_user(row) for row in await _rows(queries.users, wanted.users)]
    customers = [to_customer(row) for row in await _rows(queries.customers, wanted.customers)]
    # Read when their owners are locked: none is opened after that.
    if wanted.account_owners:
        owned = [account_id for [account_id] in await queries.accounts_of(wanted.account_owners)]
        wanted = replace(wanted, account_ids={*wanted.account_ids, *owned})
    payments = [to_payment(row) for row in await _rows(queries.payments, wanted.payments)]
    quotes = [to_quote(row) for row in await _rows(queries.quotes, quotes_to_load(wanted, payments))]
    transactions = to_transactions(await _rows(queries.transactions, wanted.transactions))
    to_load = accounts_to_load(wanted, payments, quotes, transactions)
    counters = [
        to_payment_counters(row)
        for row in await _rows(queries.payment_counters, sorted(counters_to_load(wanted, to_load)))
    ]
    accounts = await stored.load(to_load.keys, to_load.ids) if to_load.keys or to_load.ids else []
    fee_keys = fee_accounts_to_load(to_load, accounts, payments)
    if fee_keys:
        accounts += await stored.load(fee_keys, ())
    endpoints: Sequence[WebhookEndpoint] = ()
    if wanted.webhook_endpoints or wanted.webhook_owners:
        found = await queries.webhook_endpoints(wanted.webhook_endpoints, wanted.webhook_owners)
        endpoints = [to_webhook_endpoint(row) for row in found]
    api_keys = [to_api_key(row) for row in await _rows(queries.api_keys, wanted.api_key_owners)]
    members = [to_member(row) for row in await _rows(queries.members, wanted.member_merchants)]
    missing: set[AccountHolder] = set()
    if len(accounts) < len(to_load.keys) + len(to_load.ids) + len(fee_keys):
        missing = account_holders_to_find(to_load.keys | fee_keys, accounts)
    return Records(
        answers=list(map(to_answer, await _rows(queries.answers, wanted.answers))),
        accounts=accounts,
        payments=payments,
        account_holders=[
            AccountHolder(owner_id, AccountKind(kind), managed_by)
            for owner_id, kind, managed_by in await _rows(queries.account_holders, missing)
        ],
        references_taken=[PaymentReference(*row) for row in await _rows(queries.references, wanted.references)],
        emails_taken=[email for [email] in await _rows(queries.emails, wanted.emails)],
        user_ids_taken=[user_id for [user_id] in await _rows(queries.user_ids, wanted.user_ids)],
        transactions=transactions,
        quotes=quotes,
        webhook_endpoints=endpoints,
        users=users,
        api_keys=api_keys,
        customers=customers,
        external_ids_taken=[ExternalId(*row) for row in await _rows(queries.external_ids, wanted.external_ids)],
        payment_counters=counters,
        members=members,
        latest_at=clock.latest_at,
        are_cached=stored.are_cached,
    )


async def _rows(query: Callable[[Collection[Key]], Awaitable[Rows]], keys: Collection[Key]) -> Rows:
    """The rows of a query. Without keys there is no round trip."""
    return await query(keys) if keys else ()
