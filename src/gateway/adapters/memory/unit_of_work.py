"""One transaction over the dictionaries: from its beginning to its end it has them to itself."""

from types import TracebackType
from typing import Self

from gateway.adapters.memory.database import MemoryDatabase
from gateway.application.ports.unit_of_work import Changes, Holder, KeyTaken, Records, Wanted
from gateway.application.ports.users import Credentials
from gateway.domain.account import AccountId, AccountKey, AccountKind
from gateway.domain.payment import MerchantReference, Payment


class MemoryUnitOfWork:
    """See the port. Since transactions take turns on one lock, nothing needs to be locked one by one."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def load(self, wanted: Wanted) -> Records:
        """As `UnitOfWork.load`."""
        database = self._database
        payments = [database.payments[id_] for id_ in wanted.payments if id_ in database.payments]
        account_ids: set[AccountId] = set(wanted.account_ids)
        holders: list[Holder] = []
        for key in wanted.account_keys:
            account_id = database.account_ids.get(key)
            if account_id is not None:
                account_ids.add(account_id)
            elif (holder := Holder(key.owner_id, key.kind)) in database.holders:
                holders.append(holder)
        for payment in payments:
            account_ids.update(self._accounts_of(payment))
        return Records(
            answers=[database.answers[key] for key in wanted.answers if key in database.answers],
            accounts=[database.accounts[id_] for id_ in account_ids if id_ in database.accounts],
            payments=payments,
            holders=holders,
            references_taken=[reference for reference in wanted.references if reference in database.references],
            emails_taken=[email for email in wanted.emails if email in database.user_ids],
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
        for payment in changes.payments_new:
            database.payments[payment.id] = payment
            if payment.reference is not None:
                database.references.add(MerchantReference(payment.merchant_id, payment.reference))
        for payment in changes.payments_changed:
            database.payments[payment.id] = payment
        for transaction in changes.transactions_new:
            database.transactions[transaction.id] = transaction
            if transaction.reverses is not None:
                database.reversals[transaction.reverses] = transaction.id
        database.events.extend(changes.events_new)
        for answer in changes.answers_new:
            database.answers[answer.key] = answer

    def _accounts_of(self, payment: Payment) -> list[AccountId]:
        currency = payment.amount.currency
        keys = (
            AccountKey(payment.customer_id, currency, AccountKind.CUSTOMER),
            AccountKey(payment.merchant_id, currency, AccountKind.MERCHANT),
        )
        return [self._database.account_ids[key] for key in keys if key in self._database.account_ids]

    def _check_unique_keys(self, changes: Changes) -> None:
        database = self._database
        taken = (
            any(answer.key in database.answers for answer in changes.answers_new)
            or any(new.user.email in database.user_ids for new in changes.users_new)
            or any(account.key in database.account_ids for account in changes.accounts_new)
            or any(
                MerchantReference(payment.merchant_id, payment.reference) in database.references
                for payment in changes.payments_new
                if payment.reference is not None
            )
        )
        if taken:
            raise KeyTaken

    async def __aenter__(self) -> Self:
        """Wait for the running transaction to end."""
        await self._database.transaction.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let the next one in."""
        self._database.transaction.release()
