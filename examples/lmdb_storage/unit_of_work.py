"""The unit of work: it loads from a snapshot, and commits in one write transaction. Nobody else writes meanwhile."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

from gateway import Account, AccountId, AccountKey, ApiKey, Member, Transaction, UserId, WebhookEndpoint
from gateway.ports import (
    AccountHolder,
    Changes,
    Credentials,
    EndedSessions,
    FeedEvent,
    KeyTaken,
    Records,
    Wanted,
    account_holders_to_find,
    accounts_to_load,
    counters_to_load,
    fee_accounts_to_load,
    quotes_to_load,
)
from lmdb_storage.auditing import append
from lmdb_storage.database import Database, Turn
from lmdb_storage.records import (
    ACCOUNTS,
    ANSWERS,
    API_KEYS,
    CUSTOMERS,
    ENDPOINTS,
    EVENTS,
    LATEST_AT,
    MEMBERS,
    PAYMENT_COUNTERS,
    PAYMENTS,
    QUOTES,
    REFUNDS,
    SESSIONS,
    TRANSACTIONS,
    USERS,
    reference_name,
)
from lmdb_storage.tables import Txn, name


class LmdbUnitOfWork:
    """The port `UnitOfWork`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = Turn(database)

    async def load(self, wanted: Wanted) -> Records:
        """As the port says. Nothing needs a lock: nobody else has the turn."""
        with self._database.snapshot() as txn:
            return load(txn, wanted)

    async def commit(self, changes: Changes) -> None:
        """As the port says."""
        await self._turn.write(lambda txn: write(txn, changes))

    async def __aenter__(self) -> Self:
        await self._turn.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._turn.__aexit__(kind, error, traceback)


def load(txn: Txn, wanted: Wanted) -> Records:
    """What is wanted, in the steps of `gateway.ports`: payments, then quotes, then accounts, then accounts for fees."""
    payments = PAYMENTS.found(txn, wanted.payments)
    quotes = QUOTES.found(txn, quotes_to_load(wanted, payments))
    transactions = [with_reversal(txn, each) for each in TRANSACTIONS.found(txn, wanted.transactions)]
    owned = (each.id for owner in wanted.account_owners for each in ACCOUNTS.those(txn, "owner", name(owner)))
    wanted = replace(wanted, account_ids={*wanted.account_ids, *owned})
    to_load = accounts_to_load(wanted, payments, quotes, transactions)
    accounts = _accounts(txn, to_load.keys, to_load.ids)
    fee_keys = fee_accounts_to_load(to_load, accounts.values(), payments)
    accounts |= _accounts(txn, fee_keys, ())
    missing = account_holders_to_find(to_load.keys | fee_keys, accounts.values())
    return Records(
        answers=ANSWERS.found(txn, (name(*key) for key in wanted.answers)),
        accounts=accounts.values(),
        payments=payments,
        account_holders=list(_account_holders(txn, missing)),
        references_taken=[each for each in wanted.references if PAYMENTS.one(txn, "held", reference_name(each))],
        user_ids_taken=[each.user.id for each in USERS.found(txn, wanted.user_ids)],
        emails_taken=[each for each in wanted.emails if USERS.one(txn, "email", name(each))],
        transactions=transactions,
        quotes=quotes,
        webhook_endpoints=list(_webhook_endpoints(txn, wanted)),
        users=[each.user for each in USERS.found(txn, wanted.users)],
        api_keys=list(_api_keys(txn, wanted.api_key_owners)),
        customers=CUSTOMERS.found(txn, wanted.customers),
        external_ids_taken=[each for each in wanted.external_ids if CUSTOMERS.one(txn, "external_key", name(*each))],
        members=list(_members(txn, wanted.member_merchants)),
        payment_counters=PAYMENT_COUNTERS.found(txn, counters_to_load(wanted, to_load)),
        latest_at=LATEST_AT.get(txn),
    )


def with_reversal(txn: Txn, transaction: Transaction) -> Transaction:
    """A transaction with `reversed_by`, which is not stored but looked up."""
    reversal = TRANSACTIONS.one(txn, "reverses", name(transaction.id))
    return replace(transaction, reversed_by=None if reversal is None else reversal.id)


def _accounts(txn: Txn, keys: Iterable[AccountKey], ids: Iterable[AccountId]) -> dict[AccountId, Account]:
    by_key = (ACCOUNTS.one(txn, "key", name(*key)) for key in keys)
    found = [*(each for each in by_key if each is not None), *ACCOUNTS.found(txn, ids)]
    return {account.id: account for account in found}


def _account_holders(txn: Txn, missing: Iterable[AccountHolder]) -> Iterator[AccountHolder]:
    """Those who have an account of the kind, with the merchant who manages it."""
    for holder in missing:
        account = next(ACCOUNTS.those(txn, "holder", name(holder.owner_id, holder.kind)), None)
        if account is not None:
            yield holder._replace(managed_by=account.managed_by)


def _webhook_endpoints(txn: Txn, wanted: Wanted) -> Iterator[WebhookEndpoint]:
    for endpoint in ENDPOINTS.found(txn, wanted.webhook_endpoints):
        if endpoint.owner_id not in wanted.webhook_owners:
            yield endpoint
    for owner_id in wanted.webhook_owners:
        yield from ENDPOINTS.those(txn, "owner", name(owner_id))


def _api_keys(txn: Txn, owner_ids: Iterable[UserId]) -> Iterator[ApiKey]:
    for owner_id in owner_ids:
        yield from API_KEYS.those(txn, "owner", name(owner_id))


def _members(txn: Txn, merchant_ids: Iterable[UserId]) -> Iterator[Member]:
    for merchant_id in merchant_ids:
        yield from MEMBERS.those(txn, "merchant", name(merchant_id))


def write(txn: Txn, changes: Changes) -> None:
    """All changes. What one of them raises takes all of them back: the transaction is not committed."""
    _write_users(txn, changes)
    for account in changes.accounts_new:
        ACCOUNTS.add(txn, account)
    for account in changes.accounts_changed:
        ACCOUNTS.put(txn, account)
    _write_customers(txn, changes)
    _write_payments(txn, changes)
    for transaction in changes.transactions_new:
        TRANSACTIONS.add(txn, transaction)
    for refund in changes.refunds_new:
        REFUNDS.add(txn, refund)
    _write_what_may_be_deleted(txn, changes)
    _write_what_is_told(txn, changes)
    latest_at = LATEST_AT.get(txn)
    if changes.latest_at is not None and (latest_at is None or latest_at < changes.latest_at):
        LATEST_AT.put(txn, changes.latest_at)


def _write_users(txn: Txn, changes: Changes) -> None:
    for new in changes.users_new:
        if USERS.get(txn, new.user.id) is not None:  # Programs choose ids of users: this is no bug of theirs.
            raise KeyTaken
        USERS.add(txn, Credentials(user=new.user, password_hash=new.password_hash))
    for user in changes.users_changed:
        for found in USERS.found(txn, [user.id]):
            USERS.put(txn, replace(found, user=user))
    for ended in changes.sessions_ended:
        end_sessions(txn, ended)


def end_sessions(txn: Txn, ended: EndedSessions) -> None:
    """End the sessions of a user that have not ended."""
    for session in list(SESSIONS.those(txn, "user", name(ended.user_id))):
        if session.revoked_at is None:
            session.revoked_at = ended.at
            SESSIONS.put(txn, session)


def _write_payments(txn: Txn, changes: Changes) -> None:
    for payment in changes.payments_changed:  # Before the new ones: they may give a reference up.
        PAYMENTS.put(txn, payment)
    for payment in changes.payments_new:
        PAYMENTS.add(txn, payment)
    for counters in changes.payment_counters:
        PAYMENT_COUNTERS.put(txn, counters)
    for quote in changes.quotes_new:
        QUOTES.add(txn, quote)
    for quote in changes.quotes_changed:
        QUOTES.put(txn, quote)


def _write_what_may_be_deleted(txn: Txn, changes: Changes) -> None:
    for endpoint_id in changes.webhook_endpoints_deleted:
        for endpoint in ENDPOINTS.found(txn, [endpoint_id]):
            ENDPOINTS.delete(txn, endpoint)
    for endpoint in changes.webhook_endpoints_new:
        ENDPOINTS.add(txn, endpoint)
    for endpoint in changes.webhook_endpoints_changed:
        ENDPOINTS.put(txn, endpoint)
    for key_id in changes.api_keys_deleted:
        for key in API_KEYS.found(txn, [key_id]):
            API_KEYS.delete(txn, key)
    for key in changes.api_keys_new:
        API_KEYS.add(txn, key)
    for key in changes.api_keys_changed:
        API_KEYS.put(txn, key)
    _write_members(txn, changes)


def _write_customers(txn: Txn, changes: Changes) -> None:
    """`accounts_handed_over` names accounts among those that have changed, which are kept whole."""
    for customer in changes.customers_changed:  # Before the new ones: they may give an external id up.
        CUSTOMERS.put(txn, customer)
    for customer in changes.customers_new:
        CUSTOMERS.add(txn, customer)


def _write_members(txn: Txn, changes: Changes) -> None:
    for member in MEMBERS.found(txn, changes.members_deleted):
        MEMBERS.delete(txn, member)
    for member in changes.members_new:
        MEMBERS.add(txn, member)
    for member in changes.members_changed:
        MEMBERS.put(txn, member)


def _write_what_is_told(txn: Txn, changes: Changes) -> None:
    """The audit log, the feed in the order of commits, and the answers."""
    for record in changes.audit_new:
        append(txn, record)
    for position, event in enumerate(changes.events_new, newest_position(txn) + 1):
        EVENTS.add(
            txn,
            FeedEvent(
                position=position,
                id=event.id,
                type=event.type,
                object_id=event.object.id,
                sequence=event.sequence,
                customer_id=event.customer_id,
                merchant_id=event.merchant_id,
                created_at=event.created_at,
                data=event.data,
            ),
        )
    for answer in changes.answers_new:
        if ANSWERS.get(txn, name(*answer.key)) is not None:
            raise KeyTaken
        ANSWERS.add(txn, replace(answer, event_id=None))


def newest_position(txn: Txn) -> int:
    """The position of the last event. It is never deleted."""
    return next((event.position for event in EVENTS.newest(txn)), 0)
