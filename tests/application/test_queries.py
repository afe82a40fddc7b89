"""What a caller may look up: their own things; somebody else's is the same as none at all."""

from collections.abc import Coroutine
from typing import Any

import pytest

from gateway.application.access.caller import Caller
from gateway.application.ports.reader import AccountFilter, PaymentFilter, TransactionFilter
from gateway.application.ports.sessions import SessionId
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes
from gateway.application.queries import Queries
from gateway.contracts.records import (
    EUR,
    a_payment,
    a_transaction,
    account_id,
    an_account,
    commit,
    payment_id,
    transaction_id,
    user_id,
)
from gateway.domain.account import AccountKind
from gateway.domain.errors import AccountNotFound, PaymentNotFound, Refusal, TransactionNotFound
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.user import Role

LIMIT = 100


def caller(number: int, role: Role) -> Caller:
    return Caller(user_id=user_id(number), role=role, session_id=SessionId("ses"))


CUSTOMER, OTHER_CUSTOMER = caller(1, Role.CUSTOMER), caller(3, Role.CUSTOMER)
MERCHANT, OTHER_MERCHANT = caller(2, Role.MERCHANT), caller(4, Role.MERCHANT)
OPERATOR = caller(9, Role.OPERATOR)


@pytest.fixture
async def queries(storage: Storage) -> Queries:
    """Queries on payments 1 to 8: each between one of two customers (1, 3) and one of two merchants (2, 4)."""
    numbers = range(1, 9)
    parties = {
        n: {"customer_id": user_id(1 if n % 2 else 3), "merchant_id": user_id(2 if n < 5 else 4)} for n in numbers
    }
    await commit(
        storage,
        Changes(
            accounts_new=[
                an_account(1),
                an_account(2, kind=AccountKind.MERCHANT),
                an_account(3),
                an_account(4, kind=AccountKind.MERCHANT),
                an_account(5, owner_id=user_id(1), currency=EUR),
            ],
            payments_new=[a_payment(n, **parties[n]) for n in numbers],
            transactions_new=[a_transaction(n, payment_id=payment_id(n), **parties[n]) for n in numbers],
        ),
    )
    return Queries(storage.reader)


@pytest.mark.parametrize("asker", [CUSTOMER, OPERATOR])
async def test_who_may_see_an_account_finds_it(queries: Queries, asker: Caller) -> None:
    assert await queries.account(asker, account_id(1)) == an_account(1)


@pytest.mark.parametrize("asker", [CUSTOMER, MERCHANT, OPERATOR])
async def test_who_may_see_a_payment_finds_it(queries: Queries, asker: Caller) -> None:
    assert (await queries.payment(asker, payment_id(1))).id == payment_id(1)
    assert (await queries.transaction(asker, transaction_id(1))).id == transaction_id(1)


@pytest.mark.parametrize("asker", [OTHER_CUSTOMER, OTHER_MERCHANT, MERCHANT])
async def test_somebody_elses_account_is_the_same_as_none(queries: Queries, asker: Caller) -> None:
    refusals = [await refusal_of(queries, asker, account=number) for number in (1, 99)]
    assert all(isinstance(refusal, AccountNotFound) for refusal in refusals)
    assert (refusals[0].detail, refusals[0].facts) == (refusals[1].detail, refusals[1].facts)


@pytest.mark.parametrize("asker", [OTHER_CUSTOMER, OTHER_MERCHANT])
async def test_somebody_elses_payment_is_the_same_as_none(queries: Queries, asker: Caller) -> None:
    refusals = [await refusal_of(queries, asker, payment=number) for number in (1, 99)]
    assert all(isinstance(refusal, PaymentNotFound) for refusal in refusals)
    assert (refusals[0].detail, refusals[0].facts) == (refusals[1].detail, refusals[1].facts)


@pytest.mark.parametrize("asker", [OTHER_CUSTOMER, OTHER_MERCHANT])
async def test_somebody_elses_transaction_is_the_same_as_none(queries: Queries, asker: Caller) -> None:
    refusals = [await refusal_of(queries, asker, transaction=number) for number in (1, 99)]
    assert all(isinstance(refusal, TransactionNotFound) for refusal in refusals)
    assert (refusals[0].detail, refusals[0].facts) == (refusals[1].detail, refusals[1].facts)


async def test_what_no_party_owns_is_the_operators(storage: Storage, queries: Queries) -> None:
    await commit(storage, Changes(transactions_new=[a_transaction(99, customer_id=None, merchant_id=None)]))
    await queries.transaction(OPERATOR, transaction_id(99))
    for asker in (CUSTOMER, MERCHANT):
        assert isinstance(await refusal_of(queries, asker, transaction=99), TransactionNotFound)


@pytest.mark.parametrize(
    ("asker", "numbers"),
    [(CUSTOMER, [5, 1]), (MERCHANT, [2]), (OPERATOR, [5, 4, 3, 2, 1]), (caller(99, Role.CUSTOMER), [])],
)
async def test_accounts_are_the_callers_own(queries: Queries, asker: Caller, numbers: list[int]) -> None:
    page = await queries.accounts(asker, AccountFilter(), before=None, limit=LIMIT)
    assert [account.id for account in page.items] == [account_id(n) for n in numbers]


PAYMENTS_SEEN = [
    (CUSTOMER, [7, 5, 3, 1]),
    (OTHER_CUSTOMER, [8, 6, 4, 2]),
    (MERCHANT, [4, 3, 2, 1]),
    (OTHER_MERCHANT, [8, 7, 6, 5]),
    (OPERATOR, [8, 7, 6, 5, 4, 3, 2, 1]),
]


@pytest.mark.parametrize(("asker", "numbers"), PAYMENTS_SEEN)
async def test_payments_are_those_the_caller_is_a_party_to(queries: Queries, asker: Caller, numbers: list[int]) -> None:
    page = await queries.payments(asker, PaymentFilter(), before=None, limit=LIMIT)
    assert [payment.id for payment in page.items] == [payment_id(n) for n in numbers]


@pytest.mark.parametrize(("asker", "numbers"), PAYMENTS_SEEN)
async def test_transactions_are_those_the_caller_is_a_party_to(
    queries: Queries, asker: Caller, numbers: list[int]
) -> None:
    page = await queries.transactions(asker, TransactionFilter(), before=None, limit=LIMIT)
    assert [transaction.id for transaction in page.items] == [transaction_id(n) for n in numbers]


@pytest.mark.parametrize(
    ("asker", "where", "numbers"),
    [
        (CUSTOMER, PaymentFilter(customer_id=user_id(3)), []),
        (CUSTOMER, PaymentFilter(customer_id=user_id(1)), [7, 5, 3, 1]),
        (CUSTOMER, PaymentFilter(merchant_id=user_id(4)), [7, 5]),
        (MERCHANT, PaymentFilter(merchant_id=user_id(4)), []),
        (MERCHANT, PaymentFilter(customer_id=user_id(3)), [4, 2]),
        (OPERATOR, PaymentFilter(customer_id=user_id(3), merchant_id=user_id(4)), [8, 6]),
        (OPERATOR, PaymentFilter(status=PaymentStatus.FAILED), []),
    ],
)
async def test_a_filter_never_widens_what_is_seen(
    queries: Queries, asker: Caller, where: PaymentFilter, numbers: list[int]
) -> None:
    page = await queries.payments(asker, where, before=None, limit=LIMIT)
    assert [payment.id for payment in page.items] == [payment_id(n) for n in numbers]


@pytest.mark.parametrize("asker", [CUSTOMER, MERCHANT])
@pytest.mark.parametrize("number", [3, 4])
async def test_nobody_lists_what_belongs_to_another(queries: Queries, asker: Caller, number: int) -> None:
    other = user_id(number)
    accounts = await queries.accounts(asker, AccountFilter(owner_id=other), before=None, limit=LIMIT)
    assert all(account.owner_id == asker.user_id for account in accounts.items)
    where = TransactionFilter(customer_id=other, merchant_id=other)
    transactions = await queries.transactions(asker, where, before=None, limit=LIMIT)
    assert all(asker.user_id in (each.customer_id, each.merchant_id) for each in transactions.items)


async def test_a_page_tells_whether_there_is_more(queries: Queries) -> None:
    pages = [
        await queries.payments(CUSTOMER, PaymentFilter(), before=before, limit=2)
        for before in (None, payment_id(5), payment_id(1))
    ]
    assert [[payment.id for payment in page.items] for page in pages] == [
        [payment_id(7), payment_id(5)],
        [payment_id(3), payment_id(1)],
        [],
    ]
    assert [page.has_more for page in pages] == [True, False, False]


async def test_all_accounts_of_an_owner_are_found_at_once(queries: Queries) -> None:
    assert [account.id for account in await queries.accounts_of(user_id(1))] == [account_id(5), account_id(1)]


async def test_totals_add_up_the_ledger(queries: Queries) -> None:
    assert [(totals.currency, totals.accounts) for totals in await queries.totals()] == [("EUR", 1), ("USD", 4)]


async def refusal_of(
    queries: Queries, asker: Caller, *, account: int = 0, payment: int = 0, transaction: int = 0
) -> Refusal:
    """What the asker is told who looks up one thing that is not theirs."""
    looked_up: Coroutine[Any, Any, object]
    if account:
        looked_up = queries.account(asker, account_id(account))
    elif payment:
        looked_up = queries.payment(asker, payment_id(payment))
    else:
        looked_up = queries.transaction(asker, transaction_id(transaction))
    with pytest.raises(Refusal) as refused:
        await looked_up
    return refused.value
