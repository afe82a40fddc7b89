"""What every audit promises."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Mapping
from typing import TypeVar

from gateway.application.ports.reader import LedgerSize, StatusChange
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, Wanted
from gateway.contracts.records import (
    a_payment,
    a_transaction,
    a_transfer,
    account_id,
    an_account,
    an_event,
    commit,
    payment_id,
    transaction_id,
)
from gateway.domain.event_type import EventType
from gateway.domain.payment import PaymentId
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.transfer import BalanceAfter, Transfer

Record = TypeVar("Record")


class AuditContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`.

    `records` is how many of each kind the audit has to go through: let it be more than a page of your adapter.
    """

    records = 1_100

    async def test_an_empty_ledger_has_nothing_to_go_through(self, storage: Storage) -> None:
        """And that is no error."""
        async with storage.audit() as audit:
            assert await audit.size() == LedgerSize(accounts=0, transactions=0)
            assert await all_of(audit.accounts()) == []
            assert await all_of(audit.transactions()) == []
            assert await all_of(audit.status_changes()) == []
            assert await all_of(audit.payments()) == []
            assert await all_of(audit.used_quotes()) == []
            assert [page async for page in audit.payment_events() if page] == []

    async def test_the_pages_cover_everything_once(self, storage: Storage) -> None:
        """However many there are."""
        numbers = range(1, self.records + 1)
        accounts = {account_id(n): an_account(n) for n in numbers}
        payments = {payment_id(n): a_payment(n) for n in numbers}
        # A page may end within a transaction: some have two transfers.
        transactions = {transaction_id(n): a_transaction(n, *transfers_of(n)) for n in numbers}
        await commit(
            storage,
            Changes(
                accounts_new=list(accounts.values())[::-1],
                payments_new=list(payments.values())[::-1],
                transactions_new=list(transactions.values())[::-1],
                events_new=[
                    *(an_event(n, accounts[account_id(n)], EventType.ACCOUNT_OPENED) for n in numbers),
                    *(an_event(self.records + n, payments[payment_id(n)], EventType.PAYMENT_CAPTURED) for n in numbers),
                ],
            ),
        )
        async with storage.audit() as audit:
            assert await audit.size() == LedgerSize(accounts=self.records, transactions=self.records)
            found_accounts = await all_of(audit.accounts())
            found_payments = await all_of(audit.payments())
            found_transactions = await all_of(audit.transactions())
            changes = await all_of(audit.status_changes())
            sequences = await sequences_of(audit.payment_events())
        assert len(found_accounts) == len(found_payments) == len(found_transactions) == self.records
        assert {account.id: account for account in found_accounts} == accounts
        assert {payment.id: payment for payment in found_payments} == payments
        assert {transaction.id: transaction for transaction in found_transactions} == transactions
        assert Counter(changes) == Counter(StatusChange(account_id(n), 1) for n in numbers)
        assert sequences == {payment_id(n): [1] for n in numbers}

    async def test_it_tells_every_change_that_no_transfer_made(self, storage: Storage) -> None:
        """Opened, frozen, unfrozen; every other version comes from a transfer."""
        opened = an_account(1)
        await commit(
            storage,
            Changes(accounts_new=[opened], events_new=[an_event(1, opened, EventType.ACCOUNT_OPENED)]),
        )
        paid = opened.changed(credits_posted=5)
        frozen = paid.frozen()
        unfrozen = frozen.unfrozen()
        for number, (account, kind) in enumerate(
            [(paid, None), (frozen, EventType.ACCOUNT_FROZEN), (unfrozen, EventType.ACCOUNT_UNFROZEN)], start=2
        ):
            events = [] if kind is None else [an_event(number, account, kind)]
            await commit(
                storage,
                Changes(accounts_changed=[account], events_new=events),
                Wanted(account_ids=[account.id]),
            )
        async with storage.audit() as audit:
            changes = await all_of(audit.status_changes())
        assert sorted(changes) == [StatusChange(opened.id, version) for version in (1, 3, 4)]

    async def test_it_tells_every_event_of_a_payment(self, storage: Storage) -> None:
        """By its sequence; a payment without one is not told."""
        first, second = a_payment(1, version=1), a_payment(1, version=2, status=PaymentStatus.FAILED)
        await commit(
            storage,
            Changes(
                payments_new=[second, a_payment(2), a_payment(3)],
                events_new=[
                    an_event(1, first, EventType.PAYMENT_CAPTURED),
                    an_event(2, a_payment(2), EventType.PAYMENT_CAPTURED),
                    an_event(3, second, EventType.PAYMENT_FAILED),
                ],
            ),
        )
        async with storage.audit() as audit:
            assert await sequences_of(audit.payment_events()) == {payment_id(1): [1, 2], payment_id(2): [1]}

    async def test_it_tells_all_as_of_one_moment(self, storage: Storage) -> None:
        """What is committed while it goes on is not told, though it is committed at once."""
        await commit(
            storage,
            Changes(accounts_new=[an_account(1)], payments_new=[a_payment(1)], transactions_new=[a_transaction(1)]),
        )
        async with storage.audit() as audit:
            assert await audit.size() == LedgerSize(accounts=1, transactions=1)
            changed = an_account(1).changed(credits_posted=1)
            await commit(
                storage,
                Changes(
                    accounts_new=[an_account(2)],
                    accounts_changed=[changed],
                    payments_new=[a_payment(2)],
                    transactions_new=[a_transaction(2)],
                    events_new=[
                        an_event(1, an_account(2), EventType.ACCOUNT_OPENED),
                        an_event(2, a_payment(2), EventType.PAYMENT_CAPTURED),
                    ],
                ),
                Wanted(account_ids=[changed.id]),
            )
            assert await storage.reader.account(changed.id) == changed
            assert await all_of(audit.accounts()) == [an_account(1)]
            assert await all_of(audit.payments()) == [a_payment(1)]
            assert await all_of(audit.transactions()) == [a_transaction(1)]
            assert await all_of(audit.status_changes()) == []
            assert await sequences_of(audit.payment_events()) == {}
        async with storage.audit() as audit:
            assert await audit.size() == LedgerSize(accounts=2, transactions=2)


async def all_of(pages: AsyncIterator[Collection[Record]]) -> list[Record]:
    """What stands on all pages."""
    return [record async for page in pages for record in page]


async def sequences_of(pages: AsyncIterator[Mapping[PaymentId, Collection[int]]]) -> dict[PaymentId, list[int]]:
    """The sequences on all pages, in their order, whether or not a page ends within a payment."""
    sequences: defaultdict[PaymentId, list[int]] = defaultdict(list)
    async for page in pages:
        for payment_id_, found in page.items():
            sequences[payment_id_].extend(found)
    return {key: sorted(found) for key, found in sequences.items()}


def transfers_of(number: int) -> list[Transfer]:
    """One or two transfers, which bring their accounts to versions that no other transfer does."""
    return [
        a_transfer(
            account_id(1),
            account_id(2),
            debit_after=BalanceAfter(0, 0, 2 * number + position),
            credit_after=BalanceAfter(0, 0, 2 * number + position),
        )
        for position in range(2 - number % 2)
    ]
