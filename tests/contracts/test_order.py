"""Whatever clocks say: transactions sort in the order of versions, and all is found by the time that it shows."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest

from gateway import SetFees
from gateway.adapters.system.identifiers import TimeOrderedIds
from gateway.application.engine.batch import Batch
from gateway.application.engine.submission import Answer
from gateway.application.ports.reader import PaymentFilter, TransactionFilter
from gateway.application.ports.storage import Storage
from gateway.contracts.records import NOW, USD
from gateway.domain.account import AccountId
from gateway.domain.errors import Refusal
from gateway.domain.fees import FeeSchedule
from gateway.domain.transaction import Transaction
from support.builders import CUSTOMER_ACCOUNT, MERCHANT, MERCHANT_ACCOUNT, StandingClock, opened, pay, submit, usd

SECOND = timedelta(seconds=1)
CLOCKS: dict[str, Callable[[int], timedelta]] = {
    "one is ten minutes ahead": lambda number: timedelta(minutes=10) if number % 2 else timedelta(),
    "one is 4 s ahead for a while": lambda number: timedelta(seconds=4) if number in range(5, 15, 2) else timedelta(),
    "one is a day ahead, and then two days behind": lambda number: timedelta(days=1 if number < 10 else -2),
    "both go back a second with each payment": lambda number: -number * SECOND,
    "both stand still": lambda number: -number * timedelta(milliseconds=1),
}


@pytest.fixture(params=[*CLOCKS])
async def paid(request: pytest.FixtureRequest, storage: Storage) -> datetime:
    """A shop whose twenty payments were made by two servers in turn, a millisecond apart."""
    ahead = CLOCKS[request.param]
    clocks = StandingClock(), StandingClock()
    servers = [
        Batch(unit_of_work=storage.unit_of_work, clock=clock, identifiers=TimeOrderedIds(clock)) for clock in clocks
    ]
    await opened(storage)
    charged = SetFees(merchant_id=MERCHANT, currency=USD, fees=FeeSchedule(0, 1))
    answers: Sequence[object] = await servers[0].run([submit(charged, "fees")])
    for number in range(20):
        clock, server = clocks[number % 2], servers[number % 2]
        clock.now = NOW + number * timedelta(milliseconds=1) + ahead(number)
        answers = await server.run([submit(pay(usd(2)), f"order-{number}"), submit(pay(usd(3)), f"order-{number}b")])
        assert all(isinstance(each, Answer) and not isinstance(each.outcome, Refusal) for each in answers)
    return clocks[1].now


@pytest.mark.usefixtures("paid")
@pytest.mark.parametrize("account_id", [CUSTOMER_ACCOUNT, MERCHANT_ACCOUNT], ids=["customer", "merchant"])
async def test_the_history_of_an_account_is_in_the_order_of_its_versions(
    storage: Storage, account_id: AccountId
) -> None:
    account = await storage.reader.account(account_id)
    assert account is not None
    history = await all_pages(storage, TransactionFilter(account_id=account_id))
    versions = [version for transaction in reversed(history) for version in versions_of(transaction, account_id)]
    assert versions == sorted(versions)
    assert versions[-1] == account.version
    assert len(history) == 40 + (account_id == CUSTOMER_ACCOUNT)  # The customer's deposit.


@pytest.mark.usefixtures("paid")
async def test_payments_and_transactions_are_found_by_the_time_that_they_show(storage: Storage) -> None:
    payments = await storage.reader.payments(PaymentFilter(), before=None, limit=100)
    transactions = await storage.reader.transactions(TransactionFilter(), before=None, limit=100)
    for moment in {each.created_at for each in payments} | {each.created_at for each in transactions}:
        for before in (moment + timedelta.resolution, moment + SECOND):
            found = await storage.reader.payments(
                PaymentFilter(created_after=moment, created_before=before), before=None, limit=100
            )
            assert [each.id for each in found] == [each.id for each in payments if moment <= each.created_at < before]
            entries = await storage.reader.transactions(
                TransactionFilter(created_after=moment, created_before=before), before=None, limit=100
            )
            assert [each.id for each in entries] == [
                each.id for each in transactions if moment <= each.created_at < before
            ]


@pytest.mark.usefixtures("paid")
async def test_payments_are_listed_in_the_order_of_the_times_that_they_show(storage: Storage) -> None:
    payments = await storage.reader.payments(PaymentFilter(), before=None, limit=100)
    times = [payment.created_at for payment in payments]
    assert times == sorted(times, reverse=True)


async def all_pages(storage: Storage, where: TransactionFilter) -> list[Transaction]:
    """Newest first, in pages of three."""
    found: list[Transaction] = []
    while True:
        page = await storage.reader.transactions(where, before=found[-1].id if found else None, limit=3)
        if not page:
            return found
        found += page


def versions_of(transaction: Transaction, account_id: AccountId) -> list[int]:
    """The versions of an account that a transaction made, in their order."""
    sides = [
        side
        for transfer in transaction.transfers
        for side in (
            (transfer.debit_account_id, transfer.debit_after.version),
            (transfer.credit_account_id, transfer.credit_after.version),
        )
    ]
    return [version for side, version in sides if side == account_id]
