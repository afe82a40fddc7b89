"""Customers and merchants by a program's own ids, without users, passwords or sessions: the same on every storage."""

import asyncio
from typing import Any

import pytest

from gateway import (
    TRUSTED,
    Account,
    AccountFilter,
    AccountKind,
    Caller,
    FeeSchedule,
    Gateway,
    InvalidInput,
    MakeDeposit,
    Money,
    Pay,
    PaymentFilter,
    PaymentOrder,
    Role,
    TransactionFilter,
    open_gateway,
)
from gateway.contracts.history import OpenStorage
from gateway.ports import Storage
from gateway.refusals import PaymentNotFound, UnknownCurrency

FEES = FeeSchedule(basis_points=200, fixed_minor=10)


async def test_a_customer_is_opened_once_and_found_afterwards(storage: Storage) -> None:
    async with open_gateway(storage=storage) as gateway:
        opened = await gateway.accounts.open_customer("ada-17", "EUR")
        assert (opened.owner_id, opened.currency, opened.kind) == ("ada-17", "EUR", AccountKind.CUSTOMER)
        assert await gateway.accounts.open_customer("ada-17", "EUR") == opened
        other = await gateway.accounts.open_customer("ada-17", "USD")
        assert {other.id, opened.id} == {account.id for account in await gateway.queries.accounts_of(opened.owner_id)}


async def test_one_id_may_be_a_customer_and_a_merchant(storage: Storage) -> None:
    async with open_gateway(storage=storage) as gateway:
        customer = await gateway.accounts.open_customer("ada", "EUR")
        merchant = await gateway.accounts.open_merchant("ada", "EUR")
        assert customer.id != merchant.id
        assert await gateway.accounts.open_customer("ada", "EUR") == customer
        assert await gateway.accounts.open_merchant("ada", "EUR") == merchant


async def test_concurrent_calls_of_two_gateways_open_one_account(storage: Storage) -> None:
    async with open_gateway(storage=storage) as one, open_gateway(storage=storage) as another:
        calls = [gateway.accounts.open_customer("ada", "EUR") for gateway in (one, another) for _ in range(5)]
        accounts = await asyncio.gather(*calls)
        assert len({account.id for account in accounts}) == 1


async def test_fees_are_set_once_and_left_alone_where_none_are_given(storage: Storage) -> None:
    async with open_gateway(storage=storage) as gateway:
        first = await gateway.accounts.open_merchant("shop", "EUR", fees=FEES)
        assert first.fees == FEES
        assert await gateway.accounts.open_merchant("shop", "EUR", fees=FEES) == first
        assert await gateway.accounts.open_merchant("shop", "EUR") == first
        changed = await gateway.accounts.open_merchant("shop", "EUR", fees=FeeSchedule(basis_points=0, fixed_minor=0))
        assert (changed.fees.basis_points, changed.version) == (0, first.version + 1)


async def test_the_program_and_a_caller_without_a_session_look_things_up(storage: Storage) -> None:
    async with open_gateway(storage=storage) as gateway:
        ada, shop = await a_customer_and_a_shop(gateway)
        order = PaymentOrder(customer_id=ada.owner_id, merchant_id=shop.owner_id, amount=Money(200, "EUR"), metadata={})
        payment = (await gateway.execute(Pay(order=order), idempotency_key="order-1")).payment
        queries = gateway.queries
        assert await queries.payment(TRUSTED, payment.id) == payment
        assert (await queries.payments(TRUSTED, PaymentFilter(customer_id=ada.owner_id))).items == [payment]
        assert len((await queries.transactions(TRUSTED, TransactionFilter(account_id=ada.id))).items) == 2
        accounts = (await queries.accounts(TRUSTED, AccountFilter(owner_id=ada.owner_id))).items
        assert [account.id for account in accounts] == [ada.id]
        customer = Caller(user_id=ada.owner_id, role=Role.CUSTOMER)
        assert (await queries.payments(customer, PaymentFilter())).items == [payment]
        bob = await gateway.accounts.open_customer("bob", "EUR")
        with pytest.raises(PaymentNotFound):
            await queries.payment(Caller(user_id=bob.owner_id, role=Role.CUSTOMER), payment.id)


async def a_customer_and_a_shop(gateway: Gateway) -> tuple[Account, Account]:
    ada = await gateway.accounts.open_customer("ada", "EUR")
    await gateway.execute(MakeDeposit(account_id=ada.id, amount=Money(500, "EUR"), owner_id=None))
    return ada, await gateway.accounts.open_merchant("shop", "EUR", fees=FEES)


async def test_what_is_no_id_currency_or_fee_is_refused_and_nothing_is_opened(open_storage: OpenStorage) -> None:
    async with open_storage() as storage, open_gateway(storage=storage) as gateway:
        for owner_id in ("", "x" * 65, "system", "\0", 7, None):
            hostile: Any = owner_id
            with pytest.raises(InvalidInput):
                await gateway.accounts.open_customer(hostile, "EUR")
        with pytest.raises(UnknownCurrency):
            await gateway.accounts.open_customer("ada", "eur")
        fees: Any = (1, 2)
        with pytest.raises(InvalidInput):
            await gateway.accounts.open_merchant("shop", "EUR", fees=fees)
        assert (await gateway.queries.accounts(TRUSTED, AccountFilter())).items == []
