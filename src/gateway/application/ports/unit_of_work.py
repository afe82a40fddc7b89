"""One database transaction, in two calls: load what is wanted, locked; then commit all changes, or none.

Two set-shaped calls rather than a repository per table: an adapter may then combine statements into few round trips.
"""

from collections.abc import Callable, Collection
from datetime import datetime
from itertools import chain
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from gateway.application.ports.batch_records import (
    AccountHolder,
    AnswerKey,
    EndedSessions,
    NewUser,
    Payer,
    StoredAnswer,
)
from gateway.domain.account import Account, AccountId, AccountKey
from gateway.domain.api_key import ApiKey, ApiKeyId
from gateway.domain.audit import AuditRecord
from gateway.domain.customer import Customer, ExternalId
from gateway.domain.event import Event
from gateway.domain.immutable import immutable
from gateway.domain.member import Member, MemberId
from gateway.domain.payment import Payment, PaymentId, PaymentReference, QuoteId
from gateway.domain.payment_counters import PaymentCounters
from gateway.domain.quote import Quote
from gateway.domain.refund import Refund
from gateway.domain.transaction import Transaction, TransactionId
from gateway.domain.user import User, UserId
from gateway.domain.webhook_endpoint import EndpointId, WebhookEndpoint


class StorageUnavailable(Exception):  # noqa: N818 - the name says what is wrong.
    """The storage cannot be reached, or not soon enough. Nothing is known to have happened; the same key is safe."""


class StorageReadOnly(StorageUnavailable):
    """This process cannot write to the storage, and the message says why. Reading may go well."""


class StorageRefused(Exception):  # noqa: N818 - the name says what happened.
    """The storage does not take what it was given: a value that it cannot keep, or a record that breaks its rules.

    Nothing was written. The caller has a bug: the rules of the domain refuse such values before they come here.
    """


class TryAgain(Exception):  # noqa: N818 - it says what to do.
    """The transaction did not commit, or nobody knows whether it did: run the whole of it again."""


class KeyTaken(TryAgain):
    """Another transaction committed a unique key first (an answer, an e-mail). The next run will see it."""


class Conflict(TryAgain):
    """Another transaction has changed what was loaded. The next run will see it."""


class KeyBusy(Exception):  # noqa: N818 - the name says what is wrong.
    """Another transaction holds one of the idempotency keys, and did not end within the lock timeout."""


Key = TypeVar("Key")


def _distinct(collections: Collection[Collection[Key]]) -> set[Key]:
    return set(chain.from_iterable(collections))


@immutable
class Needs:
    """The records that a command decides on. Accounts are named by key or by id, as the command knows them.

    Other records are loaded with these. A storage asks `quotes_to_load`, `accounts_to_load`, `fee_accounts_to_load` and
    `account_holders_to_find` of `gateway.ports` which, in this order, after it has loaded payments and transactions.
    """

    account_keys: Collection[AccountKey] = ()
    account_ids: Collection[AccountId] = ()
    payments: Collection[PaymentId] = ()
    references: Collection[PaymentReference] = ()
    emails: Collection[str] = ()
    user_ids: Collection[UserId] = ()
    payers: Collection[Payer] = ()
    transactions: Collection[TransactionId] = ()
    quotes: Collection[QuoteId] = ()
    webhook_endpoints: Collection[EndpointId] = ()
    webhook_owners: Collection[UserId] = ()
    """All webhook endpoints of these owners are loaded, and no other unit of work creates one meanwhile."""
    users: Collection[UserId] = ()
    """These users are locked: no session of theirs begins meanwhile."""
    account_owners: Collection[UserId] = ()
    """All accounts of these owners are loaded."""
    api_key_owners: Collection[UserId] = ()
    """All API keys of these owners are loaded, and no other unit of work creates one meanwhile."""
    customers: Collection[UserId] = ()
    external_ids: Collection[ExternalId] = ()
    member_merchants: Collection[UserId] = ()
    """All members of these merchants are loaded, and no other unit of work creates one meanwhile."""

    @classmethod
    def union(cls, needs: Collection["Needs"], **further: Any) -> Self:
        """The needs of several commands, each record once, and further fields of a subclass."""
        return cls(
            account_keys=_distinct([each.account_keys for each in needs]),
            account_ids=_distinct([each.account_ids for each in needs]),
            payments=_distinct([each.payments for each in needs]),
            references=_distinct([each.references for each in needs]),
            emails=_distinct([each.emails for each in needs]),
            user_ids=_distinct([each.user_ids for each in needs]),
            payers=_distinct([each.payers for each in needs]),
            transactions=_distinct([each.transactions for each in needs]),
            quotes=_distinct([each.quotes for each in needs]),
            webhook_endpoints=_distinct([each.webhook_endpoints for each in needs]),
            webhook_owners=_distinct([each.webhook_owners for each in needs]),
            users=_distinct([each.users for each in needs]),
            account_owners=_distinct([each.account_owners for each in needs]),
            api_key_owners=_distinct([each.api_key_owners for each in needs]),
            customers=_distinct([each.customers for each in needs]),
            external_ids=_distinct([each.external_ids for each in needs]),
            member_merchants=_distinct([each.member_merchants for each in needs]),
            **further,
        )


@immutable
class Wanted(Needs):
    """What a batch reads: the needs of its commands, and the answers stored under their keys."""

    answers: Collection[AnswerKey] = ()
    may_be_cached: bool = False
    """Any of the accounts may come from the account cache, and answers be left out: see `Records.are_cached`."""
    counts_payments: bool = False
    """The payment counters of customers are loaded beside their accounts, and locked."""
    lock_seconds_max: float | None = None
    """How long this unit of work may wait for a record or an idempotency key of another transaction. It waits for the
    keys before it locks anything. `None`: as long as the storage sees fit for what others wait for as well."""


@immutable
class Records:
    """The loaded records of a `Wanted`. Records that do not exist are left out.

    `account_holders` answers only for account keys that were not found: it names the owners who have an account of that
    kind in another currency. Fields that end in `_taken` name what exists of what was wanted.
    """

    answers: Collection[StoredAnswer] = ()
    accounts: Collection[Account] = ()
    payments: Collection[Payment] = ()
    account_holders: Collection[AccountHolder] = ()
    references_taken: Collection[PaymentReference] = ()
    emails_taken: Collection[str] = ()
    user_ids_taken: Collection[UserId] = ()
    transactions: Collection[Transaction] = ()
    """With `reversed_by` filled in."""
    quotes: Collection[Quote] = ()
    webhook_endpoints: Collection[WebhookEndpoint] = ()
    users: Collection[User] = ()
    api_keys: Collection[ApiKey] = ()
    customers: Collection[Customer] = ()
    external_ids_taken: Collection[ExternalId] = ()
    payment_counters: Collection[PaymentCounters] = ()
    members: Collection[Member] = ()
    latest_at: datetime | None = None
    """The ids of new transactions are of later moments than the largest `latest_at` stored with a loaded account. They
    sort in the order of its versions, even if clocks differ."""
    are_cached: bool = False
    """Whether any account comes from the cache of this process, which may hold what another unit of work is still
    committing. Then `commit` must be called before any caller gets an answer, also without changes: it raises
    `Conflict` unless all cached accounts have their versions, and `KeyTaken` if one of the wanted keys was answered."""


@immutable
class Changes:
    """Everything a batch decided: what is new, and what replaces a loaded record of the same id."""

    users_new: Collection[NewUser] = ()
    users_changed: Collection[User] = ()
    """They keep the hash of their password."""
    sessions_ended: Collection[EndedSessions] = ()
    """Of loaded users."""
    accounts_new: Collection[Account] = ()
    accounts_changed: Collection[Account] = ()
    payments_new: Collection[Payment] = ()
    payments_changed: Collection[Payment] = ()
    transactions_new: Collection[Transaction] = ()
    quotes_new: Collection[Quote] = ()
    quotes_changed: Collection[Quote] = ()
    refunds_new: Collection[Refund] = ()
    webhook_endpoints_new: Collection[WebhookEndpoint] = ()
    webhook_endpoints_changed: Collection[WebhookEndpoint] = ()
    webhook_endpoints_deleted: Collection[EndpointId] = ()
    api_keys_new: Collection[ApiKey] = ()
    api_keys_changed: Collection[ApiKey] = ()
    api_keys_deleted: Collection[ApiKeyId] = ()
    customers_new: Collection[Customer] = ()
    customers_changed: Collection[Customer] = ()
    accounts_handed_over: Collection[AccountId] = ()  # Of `accounts_changed`: nobody manages them any more.
    payment_counters: Collection[PaymentCounters] = ()
    members_new: Collection[Member] = ()
    members_changed: Collection[Member] = ()
    members_deleted: Collection[MemberId] = ()
    events_new: Collection[Event] = ()
    """In the order in which they stand in the feed. The storage gives them their positions."""
    audit_new: Collection[AuditRecord] = ()
    answers_new: Collection[StoredAnswer] = ()
    latest_at: datetime | None = None
    """The timestamp in the ids of new transactions. Stored with each changed account, or once: the largest."""


class UnitOfWork(Protocol):
    """One transaction, used as `async with`. Leaving it without `commit` forgets everything and frees every lock."""

    async def load(self, wanted: Wanted) -> Records:
        """Read what is wanted. Called once, before `commit`.

        Accounts, payments and quotes are locked until the transaction ends, or `commit` checks that nobody has changed
        them since. Users, customers, webhook endpoints, API keys, payment counters and members are always locked. Locks
        are taken in one order (users, customers, payments, quotes, payment counters, accounts, accounts for fees,
        webhook endpoints, API keys, members; each by id), so that two batches never wait for each other in a circle.
        Answers, references, e-mails, external ids and transactions are read, not locked.

        Where accounts may be cached, a storage may pipeline its units of work: this one waits until the previous unit
        of work has decided, and gets the accounts as that leaves them, though it may still be committing. A unit of
        work that cannot be pipelined (it locks, or opens accounts) waits until the previous one has ended.

        Raises:
            StorageUnavailable: The storage could not be reached; nothing was started.
            RecordBusy: Another transaction holds a record, and did not end in time.
            KeyBusy: Another transaction holds one of the keys, and did not end in time (`Wanted.lock_seconds_max`).
            TryAgain: The storage gave up on the transaction (a deadlock, a lost connection).
        """
        ...

    async def commit(self, changes: Changes) -> None:
        """Write all changes and commit, durably, or write nothing.

        Answers are written last, after all locks are held: writing a key waits for a transaction that wrote it. A
        pipelined unit of work first waits for the commit of the unit of work before it.

        If it is cancelled, nobody knows whether all changes were written or none: executors let no caller cancel it.

        Raises:
            KeyTaken: Another transaction has committed one of the unique keys since `load`; or, if accounts were
                cached, one of the wanted answers. The unique keys are those of answers and of accounts, the ids and
                e-mail addresses of users, and what only one record may name: `reference_held` and `quote_id` of a
                payment, `reverses` of a transaction.
            StorageRefused: A new record of another kind has the id of a stored one, or something cannot be kept.
            Conflict: Another transaction has changed one of the loaded records since `load`; or the unit of work before
                this one in the pipeline was not committed.
            KeyBusy: Another transaction holds one of the answers' keys, and did not end in time.
            RecordBusy: Another transaction holds a record, and did not end in time.
            TryAgain: It did not commit, or nobody knows whether it did.
            StorageUnavailable: The storage cannot be reached.
        """
        ...

    async def __aenter__(self) -> Self:
        """Begin."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End: roll back whatever was not committed."""
        ...


UnitOfWorkFactory = Callable[[], UnitOfWork]
