"""One transaction over the dictionaries: from its beginning to its end it has them to itself."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from types import TracebackType
from typing import Self, TypeAlias, TypeVar

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.application.ports.batch_records import AccountHolder
from gateway.application.ports.related_records import (
    account_holders_to_find,
    accounts_to_load,
    counters_to_load,
    fee_accounts_to_load,
    quotes_to_load,
)
from gateway.application.ports.unit_of_work import Changes, KeyTaken, Records, StorageRefused, UnitOfWork, Wanted
from gateway.application.ports.users import Credentials
from gateway.domain.account import Account, AccountId, AccountKey
from gateway.domain.payment import Payment
from gateway.domain.transaction import Transaction
from gateway.domain.webhook_endpoint import WebhookEndpoint

Key = TypeVar("Key")
Record = TypeVar("Record")
KeysAndNew: TypeAlias = tuple[AbstractSet[object], Sequence[object]]
"""Keys that are taken, and the keys of new records."""


class MemoryUnitOfWork(UnitOfWork):
    """See the port. Since transactions take turns on one lock, nothing needs to be locked one by one."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    @override
    async def load(self, wanted: Wanted) -> Records:
        database = self._database
        payments = _found(database.payments, wanted.payments)
        quotes = _found(database.quotes, quotes_to_load(wanted, payments))
        transactions = [self._with_reversal(each) for each in _found(database.transactions, wanted.transactions)]
        if wanted.account_owners:
            owned = [each.id for each in database.accounts.values() if each.owner_id in wanted.account_owners]
            wanted = replace(wanted, account_ids={*wanted.account_ids, *owned})
        to_load = accounts_to_load(wanted, payments, quotes, transactions)
        accounts = self._accounts(to_load.keys, to_load.ids)
        fee_keys = fee_accounts_to_load(to_load, accounts.values(), payments)
        accounts |= self._accounts(fee_keys, ())
        missing = account_holders_to_find(to_load.keys | fee_keys, accounts.values())
        return Records(
            answers=_found(database.answers, wanted.answers),
            accounts=accounts.values(),
            payments=payments,
            account_holders=_found(database.account_holders, missing),
            references_taken=database.references.intersection(wanted.references),
            user_ids_taken=database.users.keys() & wanted.user_ids,
            emails_taken=database.user_ids.keys() & wanted.emails,
            transactions=transactions,
            quotes=quotes,
            webhook_endpoints=self._webhook_endpoints(wanted),
            users=[found.user for found in _found(database.users, wanted.users)],
            api_keys=[key for key in database.api_keys.values() if key.owner_id in wanted.api_key_owners]
            if wanted.api_key_owners
            else (),
            customers=_found(database.customers, wanted.customers),
            external_ids_taken=database.external_ids.keys() & wanted.external_ids,
            payment_counters=_found(database.payment_counters, counters_to_load(wanted, to_load)),
            members=[each for each in database.members.values() if each.merchant_id in wanted.member_merchants]
            if wanted.member_merchants
            else (),
            latest_at=database.latest_at,
        )

    def _accounts(self, keys: Iterable[AccountKey], ids: Iterable[AccountId]) -> dict[AccountId, Account]:
        """Accounts by key or by id, each once."""
        database = self._database
        found = {*_found(database.account_ids, keys), *ids}
        return {account.id: account for account in _found(database.accounts, found)}

    def _webhook_endpoints(self, wanted: Wanted) -> Sequence[WebhookEndpoint]:
        if not (wanted.webhook_owners or wanted.webhook_endpoints):
            return ()
        endpoints = self._database.webhook_endpoints.values()
        return [
            each for each in endpoints if each.id in wanted.webhook_endpoints or each.owner_id in wanted.webhook_owners
        ]

    @override
    async def commit(self, changes: Changes) -> None:
        """Checks first and writes then, so that nothing is written by halves."""
        self._check_unique_keys(changes)
        database = self._database
        self._write_users(changes)
        for account in changes.accounts_new:
            database.accounts[account.id] = account
            database.account_ids[account.key] = account.id
            holder = AccountHolder(account.owner_id, account.kind)
            database.account_holders[holder] = holder._replace(managed_by=account.managed_by)
        for account in changes.accounts_changed:
            database.accounts[account.id] = account
        for payment in (*changes.payments_new, *changes.payments_changed):
            self._write_payment(payment)
        if changes.payment_counters:
            database.payment_counters |= {each.customer_id: each for each in changes.payment_counters}
        database.quotes |= {quote.id: quote for quote in (*changes.quotes_new, *changes.quotes_changed)}
        for transaction in changes.transactions_new:
            database.transactions[transaction.id] = transaction
        database.reversals |= {new.reverses: new.id for new in changes.transactions_new if new.reverses is not None}
        database.refunds |= {refund.id: refund for refund in changes.refunds_new}
        self._write_what_may_be_deleted(changes)
        self._write_customers(changes)
        for record in changes.audit_new:
            database.append_audit(record)
        database.events.extend(changes.events_new)
        for answer in changes.answers_new:
            database.answers[answer.key] = answer
        if changes.latest_at is not None:
            database.latest_at = max(changes.latest_at, database.latest_at or changes.latest_at)

    def _write_users(self, changes: Changes) -> None:
        database = self._database
        for new in changes.users_new:
            database.users[new.user.id] = Credentials(user=new.user, password_hash=new.password_hash)
            database.user_ids[new.user.email] = new.user.id
        for user in changes.users_changed:
            database.users[user.id] = replace(database.users[user.id], user=user)
        for ended in changes.sessions_ended:
            for session in database.sessions.values():
                if session.user_id == ended.user_id and session.revoked_at is None:
                    session.revoked_at = ended.at

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

    def _write_what_may_be_deleted(self, changes: Changes) -> None:
        database = self._database
        for endpoint in (*changes.webhook_endpoints_new, *changes.webhook_endpoints_changed):
            database.webhook_endpoints[endpoint.id] = endpoint
        for endpoint_id in changes.webhook_endpoints_deleted:
            del database.webhook_endpoints[endpoint_id]
        for key in (*changes.api_keys_new, *changes.api_keys_changed):
            database.api_keys[key.id] = key
        for key_id in changes.api_keys_deleted:
            del database.api_keys[key_id]
        for member in (*changes.members_new, *changes.members_changed):
            database.members[member.id] = member
        for member_id in changes.members_deleted:
            del database.members[member_id]

    def _write_customers(self, changes: Changes) -> None:
        database = self._database
        for account_id in changes.accounts_handed_over:
            account = database.accounts[account_id]
            holder = AccountHolder(account.owner_id, account.kind)
            database.account_holders[holder] = holder
        for customer in (*changes.customers_new, *changes.customers_changed):
            before = database.customers.get(customer.id)
            if before is not None and before.external_key is not None:
                del database.external_ids[before.external_key]
            if customer.external_key is not None:
                database.external_ids[customer.external_key] = customer.id
            database.customers[customer.id] = customer

    def _with_reversal(self, transaction: Transaction) -> Transaction:
        return replace(transaction, reversed_by=self._database.reversals.get(transaction.id))

    def _check_unique_keys(self, changes: Changes) -> None:
        if _overlap(self._unique_keys(changes)):
            raise KeyTaken
        if _overlap(self._unique_ids(changes)):
            raise StorageRefused("A new record has the id of another one.")

    def _unique_keys(self, changes: Changes) -> Iterator[KeysAndNew]:
        database = self._database
        yield database.answers.keys(), [answer.key for answer in changes.answers_new]
        yield database.user_ids.keys(), [new.user.email for new in changes.users_new]
        yield database.users.keys(), [new.user.id for new in changes.users_new]
        yield database.account_ids.keys(), [account.key for account in changes.accounts_new]
        yield database.reversals.keys(), [transaction.reverses for transaction in changes.transactions_new]
        yield database.references, [payment.reference_held for payment in changes.payments_new]
        yield database.quotes_of_payments, [payment.quote_id for payment in changes.payments_new]
        yield database.external_ids.keys(), [customer.external_key for customer in changes.customers_new]
        yield self._external_ids_of_others(changes), [each.external_key for each in changes.customers_changed]

    def _unique_ids(self, changes: Changes) -> Iterator[KeysAndNew]:
        database = self._database
        yield database.accounts.keys(), [account.id for account in changes.accounts_new]
        yield database.payments.keys(), [payment.id for payment in changes.payments_new]
        yield database.quotes.keys(), [quote.id for quote in changes.quotes_new]
        yield database.webhook_endpoints.keys(), [endpoint.id for endpoint in changes.webhook_endpoints_new]
        yield database.api_keys.keys(), [key.id for key in changes.api_keys_new]
        yield database.customers.keys(), [customer.id for customer in changes.customers_new]
        yield database.members.keys(), [member.id for member in changes.members_new]

    def _external_ids_of_others(self, changes: Changes) -> AbstractSet[object]:
        """The external ids that customers have who do not change."""
        if not changes.customers_changed:
            return frozenset()
        changed = {customer.id for customer in changes.customers_changed}
        return {key for key, customer_id in self._database.external_ids.items() if customer_id not in changed}

    async def __aenter__(self) -> Self:
        """Wait for the running transaction to end."""
        await self._database.transaction.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let the next one in."""
        self._database.transaction.release()


def _overlap(keys_and_new: Iterable[KeysAndNew]) -> bool:
    """Whether a new record has a key that is taken. `None` never is."""
    return any(not taken.isdisjoint(new) for taken, new in keys_and_new)


def _found(records: Mapping[Key, Record], keys: Iterable[Key]) -> list[Record]:
    """The records of the keys that exist."""
    return [records[key] for key in keys if key in records]
