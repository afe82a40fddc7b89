"""What every reader promises."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Protocol, TypeVar

from gateway.application.ports.reader import AccountFilter, CurrencyTotals, Listed, PaymentFilter, TransactionFilter
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes
from gateway.contracts.records import (
    EUR,
    JPY,
    NOW,
    USD,
    a_payment,
    a_transaction,
    a_transfer,
    account_id,
    an_account,
    commit,
    identifier,
    payment_id,
    transaction_id,
    user_id,
)
from gateway.domain.account import Account, AccountKind
from gateway.domain.money import COUNTER_MAX, Money
from gateway.domain.payment import Payment, PaymentId
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.transaction import Transaction, TransactionType
from gateway.domain.transfer import BalanceAfter

SECOND = timedelta(seconds=1)
EVERYTHING = 1000
"""A limit above all that these tests store."""


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


Record = TypeVar("Record", bound=_Identified)
Dated = TypeVar("Dated", Payment, Transaction)


class ReaderContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    async def test_it_gives_a_sign_of_life(self, storage: Storage) -> None:
        """As long as the storage is there, nothing is raised."""
        await storage.reader.check()

    async def test_what_does_not_exist_is_none(self, storage: Storage) -> None:
        """And an empty ledger has empty pages."""
        reader = storage.reader
        assert await reader.account(account_id(1)) is None
        assert await reader.payment(payment_id(1)) is None
        assert await reader.transaction(transaction_id(1)) is None
        assert not await reader.accounts(AccountFilter(), before=None, limit=EVERYTHING)
        assert not await reader.payments(PaymentFilter(), before=None, limit=EVERYTHING)
        assert not await reader.transactions(TransactionFilter(), before=None, limit=EVERYTHING)
        assert not await reader.totals()

    async def test_one_record_is_found_by_its_id(self, storage: Storage) -> None:
        """Among others."""
        await fill(storage)
        assert await storage.reader.account(account_id(7)) == ACCOUNTS[6]
        assert await storage.reader.payment(PAYMENTS[6].id) == PAYMENTS[6]
        assert await storage.reader.transaction(TRANSACTIONS[6].id) == TRANSACTIONS[6]

    async def test_accounts_come_newest_first_page_by_page(self, storage: Storage) -> None:
        """Under every filter, the pages are the whole: no gap and no repeat."""
        await fill(storage)
        for where, expected in ACCOUNT_QUESTIONS:
            for limit in (1, 2, 3, EVERYTHING):
                found = await pages(partial(storage.reader.accounts, where, limit=limit), limit)
                assert found == newest_first(ACCOUNTS, expected), f"{where}, {limit} a page"

    async def test_payments_come_newest_first_page_by_page(self, storage: Storage) -> None:
        """Under every filter, the pages are the whole: no gap and no repeat."""
        await fill(storage)
        for where, expected in PAYMENT_QUESTIONS:
            for limit in (1, 2, 5, EVERYTHING):
                found = await pages(partial(storage.reader.payments, where, limit=limit), limit)
                assert found == newest_first(PAYMENTS, expected), f"{where}, {limit} a page"

    async def test_transactions_come_newest_first_page_by_page(self, storage: Storage) -> None:
        """Under every filter, the pages are the whole: no gap and no repeat."""
        await fill(storage)
        for where, expected in TRANSACTION_QUESTIONS:
            for limit in (1, 2, 5, EVERYTHING):
                found = await pages(partial(storage.reader.transactions, where, limit=limit), limit)
                assert found == newest_first(TRANSACTIONS, expected), f"{where}, {limit} a page"

    async def test_what_is_added_meanwhile_disturbs_no_page(self, storage: Storage) -> None:
        """New records come before the first page, so that the rest of the pages stay what they were."""
        await fill(storage)
        where = PaymentFilter(merchant_id=user_id(12))
        added = len(PAYMENTS)

        async def read_and_add(*, before: PaymentId | None) -> Sequence[Payment]:
            nonlocal added
            page = await storage.reader.payments(where, before=before, limit=2)
            added += 1
            await commit(storage, Changes(payments_new=[dated(a_payment(added, merchant_id=user_id(12)))]))
            return page

        found = await pages(read_and_add, 2)
        assert found == newest_first(PAYMENTS, lambda payment: payment.merchant_id == user_id(12))
        newest = await storage.reader.payments(where, before=None, limit=1)
        assert [payment.id for payment in newest] == [dated(a_payment(added)).id]

    async def test_a_page_before_an_id_that_does_not_exist_goes_on_from_its_place(self, storage: Storage) -> None:
        """A cursor is a place in the order, not a record."""
        await commit(storage, Changes(payments_new=[a_payment(1), a_payment(3), a_payment(4)]))
        found = await storage.reader.payments(PaymentFilter(), before=payment_id(2), limit=EVERYTHING)
        assert [payment.id for payment in found] == [payment_id(1)]

    async def test_a_transaction_that_was_reversed_tells_by_which(self, storage: Storage) -> None:
        """Alone and in a list; the reversal tells what it reverses."""
        original = a_transaction(1)
        reversal = a_transaction(2, reverses=original.id)
        await commit(storage, Changes(transactions_new=[original]))
        await commit(storage, Changes(transactions_new=[reversal]))
        reversed_original = a_transaction(1, reversed_by=reversal.id)
        assert await storage.reader.transaction(original.id) == reversed_original
        assert await storage.reader.transaction(reversal.id) == reversal
        found = await storage.reader.transactions(TransactionFilter(), before=None, limit=EVERYTHING)
        assert list(found) == [reversal, reversed_original]

    async def test_totals_add_up_every_currency(self, storage: Storage) -> None:
        """In the order of their codes; an account that may not be negative and is, is overdrawn."""
        accounts = [
            an_account(1, debits_posted=1, credits_posted=10, debits_pending=2, credits_pending=3),
            an_account(2, debits_posted=100, credits_posted=1000, debits_pending=200, credits_pending=300),
            an_account(3, kind=AccountKind.FUNDING, debits_posted=5),
            an_account(4, currency=EUR, credits_posted=7),
            an_account(5, currency=JPY, kind=AccountKind.EXCHANGE, debits_pending=1),
        ]
        await commit(storage, Changes(accounts_new=accounts))
        euros = CurrencyTotals(
            currency=EUR,
            accounts=1,
            debits_posted=0,
            credits_posted=7,
            debits_pending=0,
            credits_pending=0,
            overdrawn=0,
        )
        yen = CurrencyTotals(
            currency=JPY,
            accounts=1,
            debits_posted=0,
            credits_posted=0,
            debits_pending=1,
            credits_pending=0,
            overdrawn=0,
        )
        dollars = CurrencyTotals(
            currency=USD,
            accounts=3,
            debits_posted=106,
            credits_posted=1010,
            debits_pending=202,
            credits_pending=303,
            overdrawn=0,
        )
        assert list(await storage.reader.totals()) == [euros, yen, dollars]

    async def test_totals_do_not_overflow(self, storage: Storage) -> None:
        """The sum of counters may be larger than any one of them."""
        full = {"debits_posted": COUNTER_MAX, "credits_posted": COUNTER_MAX}
        await commit(storage, Changes(accounts_new=[an_account(n, **full) for n in range(1, 4)]))
        [totals] = await storage.reader.totals()
        assert totals.debits_posted == totals.credits_posted == 3 * COUNTER_MAX


KINDS = (AccountKind.CUSTOMER, AccountKind.MERCHANT)
CURRENCIES = (USD, EUR, JPY)

ACCOUNTS = [
    an_account(n, owner_id=user_id(n % 4 + 1), currency=CURRENCIES[n % 3], kind=KINDS[n // 12]) for n in range(1, 22)
]


def dated(record: Dated) -> Dated:
    """The record as it would be if a second passed between each two: its id and `created_at` are of one moment."""
    prefix, number = record.id[:3], int(record.id[-16:])
    moment = NOW + number // 2 * SECOND
    return replace(record, id=identifier(prefix, number, moment), created_at=moment)  # type: ignore[arg-type]  # Any of the ids.


PAYMENTS = [
    dated(
        a_payment(
            n,
            customer_id=user_id(n % 3),
            merchant_id=user_id(10 + n % 4),
            status=PaymentStatus.FAILED if n % 5 == 0 else PaymentStatus.CAPTURED,
            amount=Money(n, CURRENCIES[n % 2]),
            reference=f"order-{n // 4}" if n % 2 else None,
        )
    )
    for n in range(1, 25)
]
TRANSACTIONS = [
    dated(
        a_transaction(
            n,
            *(
                a_transfer(
                    account_id((n + index) % 4 + 1),
                    account_id((n + index + 1) % 5 + 10),
                    debit_after=BalanceAfter(0, 0, 10 * n + index),
                    credit_after=BalanceAfter(0, 0, 10 * n + index),
                )
                for index in range(1 + n % 3)
            ),
            type=TransactionType.DEPOSIT if n % 4 == 0 else TransactionType.PAYMENT,
            customer_id=user_id(n % 3) if n % 3 else None,
            merchant_id=user_id(10 + n % 4) if n % 4 else None,
            payment_id=payment_id(n // 3),
        )
    )
    for n in range(1, 25)
]

ACCOUNT_QUESTIONS: list[tuple[AccountFilter, Callable[[Account], bool]]] = [
    (AccountFilter(), lambda _: True),
    (AccountFilter(owner_id=user_id(2)), lambda account: account.owner_id == user_id(2)),
    (AccountFilter(currency=EUR), lambda account: account.currency == EUR),
    (
        AccountFilter(owner_id=user_id(2), currency=EUR),
        lambda account: account.owner_id == user_id(2) and account.currency == EUR,
    ),
    (AccountFilter(owner_id=user_id(99)), lambda _: False),
]
PAYMENT_QUESTIONS: list[tuple[PaymentFilter, Callable[[Payment], bool]]] = [
    (PaymentFilter(), lambda _: True),
    (PaymentFilter(customer_id=user_id(1)), lambda payment: payment.customer_id == user_id(1)),
    (PaymentFilter(merchant_id=user_id(12)), lambda payment: payment.merchant_id == user_id(12)),
    (PaymentFilter(status=PaymentStatus.FAILED), lambda payment: payment.status is PaymentStatus.FAILED),
    (PaymentFilter(currency=EUR), lambda payment: payment.amount.currency == EUR),
    (PaymentFilter(reference="order-3"), lambda payment: payment.reference == "order-3"),
    (PaymentFilter(created_after=NOW + 6 * SECOND), lambda payment: payment.created_at >= NOW + 6 * SECOND),
    (PaymentFilter(created_before=NOW + 6 * SECOND), lambda payment: payment.created_at < NOW + 6 * SECOND),
    (
        PaymentFilter(created_after=NOW + 3 * SECOND, created_before=NOW + 4 * SECOND),
        lambda payment: payment.created_at == NOW + 3 * SECOND,
    ),
    (
        PaymentFilter(
            customer_id=user_id(1),
            merchant_id=user_id(13),
            status=PaymentStatus.CAPTURED,
            currency=EUR,
            reference="order-1",
            created_after=NOW,
            created_before=NOW + 60 * SECOND,
        ),
        lambda payment: payment == PAYMENTS[6],
    ),
    (
        PaymentFilter(customer_id=user_id(1), merchant_id=user_id(12)),
        lambda payment: (payment.customer_id, payment.merchant_id) == (user_id(1), user_id(12)),
    ),
    (
        PaymentFilter(merchant_id=user_id(11), status=PaymentStatus.FAILED),
        lambda payment: payment.merchant_id == user_id(11) and payment.status is PaymentStatus.FAILED,
    ),
    (
        PaymentFilter(merchant_id=user_id(11), status=PaymentStatus.CAPTURED, as_of=NOW),
        lambda payment: payment.merchant_id == user_id(11) and payment.status is PaymentStatus.CAPTURED,
    ),
    (
        PaymentFilter(merchant_id=user_id(13), reference="order-1"),
        lambda payment: payment.merchant_id == user_id(13) and payment.reference == "order-1",
    ),
    (PaymentFilter(customer_id=user_id(99)), lambda _: False),
]
TRANSACTION_QUESTIONS: list[tuple[TransactionFilter, Callable[[Transaction], bool]]] = [
    (TransactionFilter(), lambda _: True),
    (TransactionFilter(customer_id=user_id(1)), lambda transaction: transaction.customer_id == user_id(1)),
    (TransactionFilter(merchant_id=user_id(12)), lambda transaction: transaction.merchant_id == user_id(12)),
    (TransactionFilter(type=TransactionType.DEPOSIT), lambda transaction: transaction.type is TransactionType.DEPOSIT),
    (TransactionFilter(payment_id=payment_id(4)), lambda transaction: transaction.payment_id == payment_id(4)),
    (
        TransactionFilter(account_id=account_id(2)),
        lambda transaction: any(transfer.debit_account_id == account_id(2) for transfer in transaction.transfers),
    ),
    (
        TransactionFilter(account_id=account_id(11)),
        lambda transaction: any(transfer.credit_account_id == account_id(11) for transfer in transaction.transfers),
    ),
    (
        TransactionFilter(created_after=NOW + 6 * SECOND),
        lambda transaction: transaction.created_at >= NOW + 6 * SECOND,
    ),
    (
        TransactionFilter(created_before=NOW + 6 * SECOND),
        lambda transaction: transaction.created_at < NOW + 6 * SECOND,
    ),
    (
        TransactionFilter(
            customer_id=user_id(1),
            merchant_id=user_id(13),
            type=TransactionType.PAYMENT,
            account_id=account_id(1),
            payment_id=payment_id(2),
            created_after=NOW,
            created_before=NOW + 60 * SECOND,
        ),
        lambda transaction: transaction == TRANSACTIONS[6],
    ),
    (
        TransactionFilter(customer_id=user_id(1), merchant_id=user_id(12)),
        lambda transaction: (transaction.customer_id, transaction.merchant_id) == (user_id(1), user_id(12)),
    ),
    (
        TransactionFilter(customer_id=user_id(1), type=TransactionType.DEPOSIT),
        lambda transaction: transaction.customer_id == user_id(1) and transaction.type is TransactionType.DEPOSIT,
    ),
    (
        TransactionFilter(customer_id=user_id(1), payment_id=payment_id(2)),
        lambda transaction: (transaction.customer_id, transaction.payment_id) == (user_id(1), payment_id(2)),
    ),
    (TransactionFilter(account_id=account_id(99)), lambda _: False),
]


async def fill(storage: Storage) -> None:
    """Commit all of the records above, in three goes and in no order."""
    for part in range(3):
        await commit(
            storage,
            Changes(
                accounts_new=ACCOUNTS[part::3],
                payments_new=PAYMENTS[part::3],
                transactions_new=TRANSACTIONS[part::3],
            ),
        )


async def pages(read: Callable[..., Awaitable[Sequence[Record]]], limit: int) -> list[Record]:
    """All pages from the newest on, one after the other, until one is not full, and its look-up did not end early."""
    found: list[Record] = []
    before: str | None = None
    while True:
        page = await read(before=before)
        assert len(page) <= limit
        assert not {record.id for record in page} & {record.id for record in found}, "a page repeats another"
        found.extend(page)
        if len(page) == limit:
            before = page[-1].id
            continue
        stopped_at = page.stopped_at if isinstance(page, Listed) else None
        if stopped_at is None:
            return found
        assert before is None or stopped_at < before, "a look-up that ended early got nowhere"
        before = stopped_at


def newest_first(records: Sequence[Record], expected: Callable[[Record], bool]) -> list[Record]:
    """What should be found."""
    return [record for record in reversed(records) if expected(record)]
