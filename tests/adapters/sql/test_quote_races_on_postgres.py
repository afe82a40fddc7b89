"""Whoever races for a quote on Postgres, exactly one uses it: two gateways, each with connections of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from gateway import ConfirmPayment, MakeQuote, OpenAccount, Pay, RefundPayment, RequestPayment, SetFees
from gateway.adapters.sql import open_sql_storage
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.command import Command
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.ports.storage import Storage
from gateway.application.verification.verify import verify
from gateway.contracts.records import EUR, USD, a_rate
from gateway.domain.account import AccountId, AccountKey, AccountKind, system_account
from gateway.domain.errors import Refusal
from gateway.domain.exchange_errors import QuoteUsed
from gateway.domain.fees import FeeSchedule
from gateway.domain.money import Money
from gateway.domain.payment_terms import PaymentOrder, PaymentRequest
from gateway.domain.quote import Quote
from support.builders import CUSTOMER, MERCHANT, StandingClock, a_batch, deposit, opened, usd

ROUNDS = 10
RATE = a_rate(EUR, USD)
EUROS = AccountKey(CUSTOMER, EUR, AccountKind.CUSTOMER)


@dataclass(frozen=True)
class Arena:
    """Two executors into one database."""

    executors: tuple[CommandExecutor, CommandExecutor]
    storage: Storage
    euros: AccountId

    async def ask(self, command: Command[Any]) -> Any:
        return await self.executors[0].execute(command)

    async def race(self, *commands: Command[Any]) -> list[Any]:
        """Ask all at once, at either executor in turn; what came of each."""
        asked = (self.executors[n % 2].execute(command) for n, command in enumerate(commands))
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(each, Refusal) or not isinstance(each, BaseException) for each in outcomes), outcomes
        return outcomes

    async def quote(self, amount_minor: int = 100) -> Quote:
        command = MakeQuote(customer_id=CUSTOMER, pair=RATE.pair, amount=usd(amount_minor), rate=RATE)
        quote: Quote = await self.ask(command)
        return quote

    async def posted(self, *keys: AccountKey) -> list[int]:
        """What these accounts hold."""
        async with self.storage.audit() as audit:
            accounts = {account.key: account async for page in audit.accounts() for account in page}
        return [accounts[key].posted for key in keys]


@pytest.fixture
async def arena(postgres_url: str) -> AsyncIterator[Arena]:
    """The books are checked in the end."""
    async with AsyncExitStack() as stack:
        storages = [await stack.enter_async_context(open_sql_storage(postgres_url)) for _ in range(2)]
        await opened(storages[0])
        limits = RetryLimits(attempts_max=20, duration_seconds_max=30)
        runs = [retrying(a_batch(storage, StandingClock()).run, limits) for storage in storages]
        first, second = (CommandExecutor(OneByOne(run), time_ordered_id) for run in runs)
        euros = await first.execute(OpenAccount(key=EUROS))
        await first.execute(deposit(Money(1_000_000, EUR), euros.id))
        yield Arena((first, second), storages[0], euros.id)
        async with storages[0].audit() as audit:
            assert (await verify(audit)).named == []


def payment_with(quote: Quote) -> Pay:
    return Pay(
        order=PaymentOrder(
            customer_id=CUSTOMER, merchant_id=MERCHANT, amount=quote.target, metadata={}, quote_id=quote.id
        )
    )


async def test_a_quote_is_used_by_one_of_many_payments(arena: Arena) -> None:
    for _ in range(ROUNDS):
        quote = await arena.quote()
        outcomes = await arena.race(*(payment_with(quote) for _ in range(6)))
        assert sum(isinstance(outcome, QuoteUsed) for outcome in outcomes) == 5
    merchant = AccountKey(MERCHANT, USD, AccountKind.MERCHANT)
    assert await arena.posted(merchant) == [ROUNDS * 100]


async def test_a_quote_is_used_by_a_payment_or_by_a_confirmation(arena: Arena) -> None:
    """They lock in different ways: one of them has a payment before it."""
    for _ in range(ROUNDS):
        quote = await arena.quote()
        request = PaymentRequest(merchant_id=MERCHANT, amount=quote.target, metadata={})
        asked = [(await arena.ask(RequestPayment(request=request))).id for _ in range(2)]
        outcomes = await arena.race(
            payment_with(quote),
            *(ConfirmPayment(payment_id=each, customer_id=CUSTOMER, quote_id=quote.id) for each in asked),
            payment_with(quote),
        )
        assert sum(isinstance(outcome, QuoteUsed) for outcome in outcomes) == 3


async def test_the_same_key_at_two_doors_uses_a_quote_once(arena: Arena) -> None:
    for n in range(ROUNDS):
        command = payment_with(await arena.quote())
        first, second = await asyncio.gather(
            *(executor.execute(command, idempotency_key=f"key-{n}") for executor in arena.executors)
        )
        assert first == second


async def test_payments_and_refunds_across_at_once_leave_nothing_behind(arena: Arena) -> None:
    """With fees on both sides, so that every lock there is is taken: nobody waits in a circle, nothing is lost."""
    await arena.ask(SetFees(merchant_id=MERCHANT, currency=USD, fees=FeeSchedule(100, 1)))
    quotes = [await arena.quote(777) for _ in range(20)]
    async with asyncio.timeout(60):
        paid = await arena.race(*(payment_with(quote) for quote in quotes[:10]))
        refunds = [
            RefundPayment(payment_id=each.payment.id, merchant_id=MERCHANT, amount_minor=part, refund_fee=True)
            for part in (300, 300, 177)
            for each in paid
        ]
        await arena.race(*refunds, *(payment_with(quote) for quote in quotes[10:]))
    spread, source = quotes[0].spread_minor, quotes[0].source.amount_minor
    exchange = [system_account(AccountKind.EXCHANGE, currency) for currency in RATE.pair]
    fees = system_account(AccountKind.FEES, EUR)
    assert await arena.posted(EUROS) == [1_000_000 - 10 * source]
    assert await arena.posted(*exchange, fees) == [10 * (source - spread), -7_770, 10 * spread]
