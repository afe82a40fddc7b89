"""Payments across currencies, through the executor; the books are right after each."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.conftest import OpenExecutor
from gateway.adapters.memory import MemoryDatabase, memory_storage
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.commands import (
    ConfirmPayment,
    FreezeAccount,
    MakePayout,
    MakeQuote,
    OpenAccount,
    Paid,
    Pay,
    RefundPayment,
    RequestPayment,
    ReverseTransaction,
    SetFees,
)
from gateway.application.engine.command import Command
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.errors import InvalidInput
from gateway.application.ports.storage import Storage
from gateway.application.quotes import QuoteLimits, Quotes
from gateway.application.verification.verify import verify
from gateway.contracts.records import EUR, JPY, NOW, USD, a_rate, user_id
from gateway.domain.account import Account, AccountKey, AccountKind, system_account
from gateway.domain.conversion import converted
from gateway.domain.errors import (
    AccountFrozen,
    AmountTooLarge,
    AmountTooSmall,
    CurrencyMismatch,
    InsufficientFunds,
    MerchantInsufficientFunds,
    MerchantNotFound,
    PaymentStateInvalid,
    QuoteAmountMismatch,
    QuoteExpired,
    QuoteNotFound,
    QuoteUsed,
    RateNotFound,
    Refusal,
    SameCurrency,
    UseRefund,
)
from gateway.domain.fees import FeeSchedule
from gateway.domain.money import Money, currency_code
from gateway.domain.payment import CaptureMethod, Payment, QuoteId
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.payment_terms import PaymentOrder, PaymentRequest
from gateway.domain.quote import Quote
from gateway.domain.rate import CurrencyPair, rate_of
from gateway.domain.transaction import TransactionType
from gateway.domain.transfer import Transfer
from gateway.domain.user import Role
from support.builders import (
    CUSTOMER,
    MERCHANT,
    StandingClock,
    Watch,
    a_batch,
    deposit,
    opened,
    pay,
    register,
    submit,
    usd,
    watched,
)

EUROS = AccountKey(CUSTOMER, EUR, AccountKind.CUSTOMER)
DOLLARS = AccountKey(MERCHANT, USD, AccountKind.MERCHANT)
PAIR = CurrencyPair(EUR, USD)
RATE = a_rate(EUR, USD, rate=rate_of("1.0842"), spread_basis_points=50)
STRANGER = user_id(9)


@dataclass(frozen=True)
class Bureau:
    """A customer with 100 euros, a merchant who is paid in dollars, and the exchange between them."""

    executor: CommandExecutor
    exchange: Quotes
    storage: Storage
    database: MemoryDatabase
    watch: Watch
    clock: StandingClock

    def account(self, key: AccountKey) -> Account:
        return self.database.accounts[self.database.account_ids[key]]

    def posted(self, *keys: AccountKey) -> list[int]:
        """What these accounts hold."""
        return [self.account(key).posted for key in keys]

    def gateways_own(self) -> list[int]:
        """What the exchange has in euros and in dollars, and the fees in both."""
        return self.posted(
            *(system_account(kind, currency) for kind in (AccountKind.EXCHANGE, AccountKind.FEES) for currency in PAIR)
        )

    async def quote(self, amount: Money | None = None, *, customer: int = 1) -> Quote:
        """A quote for $10.50, unless told otherwise."""
        return await self.exchange.quote(user_id(customer), PAIR, amount or usd(1_050))

    async def pay(self, quote: Quote, **terms: object) -> Paid:
        return await self.executor.execute(payment_with(quote.id, **{"amount": quote.target, **terms}))

    async def refund(self, payment: Payment, amount_minor: int | None = None, *, refund_fee: bool = False) -> None:
        await self.executor.execute(
            RefundPayment(payment_id=payment.id, merchant_id=MERCHANT, amount_minor=amount_minor, refund_fee=refund_fee)
        )

    async def request(self, **terms: object) -> Payment:
        """What the merchant asks for: $10.50 of whoever confirms it."""
        request = PaymentRequest(merchant_id=MERCHANT, amount=usd(1_050), metadata={})
        return await self.executor.execute(RequestPayment(request=replace(request, **terms)))  # type: ignore[arg-type]  # Tests name fields.

    async def confirm(self, payment: Payment, quote: Quote, *, customer: int = 1) -> Paid:
        command = ConfirmPayment(payment_id=payment.id, customer_id=user_id(customer), quote_id=quote.id)
        return await self.executor.execute(command)

    def quote_now(self, quote: Quote) -> Quote:
        """As it is kept."""
        return self.database.quotes[quote.id]


def payment_with(quote_id: QuoteId | None, **terms: object) -> Pay:
    order = PaymentOrder(customer_id=CUSTOMER, merchant_id=MERCHANT, amount=usd(1_050), metadata={}, quote_id=quote_id)
    return Pay(order=replace(order, **terms))  # type: ignore[arg-type]  # Tests name fields.


async def opened_in_euros(storage: Storage) -> None:
    """The usual opening, and 100 euros for the customer."""
    await opened(storage)
    batch = a_batch(storage)
    [answer] = await batch.run([submit(OpenAccount(key=EUROS), "euros")])
    await batch.run([submit(deposit(Money(10_000, EUR), answer.outcome.id), "deposit")])  # type: ignore[union-attr]  # It has one.


@pytest.fixture
async def bureau(open_executor: OpenExecutor) -> AsyncIterator[Bureau]:
    """A bureau, whose books are checked in the end, whatever happened."""
    database = MemoryDatabase()
    storage = memory_storage(database)
    await opened_in_euros(storage)
    await storage.rates.put(RATE)
    watch, clock = Watch(), StandingClock()
    async with open_executor(a_batch(watched(storage, watch), clock).run) as submissions:
        executor = CommandExecutor(submissions, time_ordered_id)
        exchange = Quotes(executor=executor, rates=storage.rates, clock=clock)
        yield Bureau(executor, exchange, storage, database, watch, clock)
    async with storage.audit() as audit:
        assert (await verify(audit)).named == []


async def refused(bureau: Bureau, command: Command[Any], refusal: type[Refusal]) -> Refusal:
    """The refusal of a command, which changes nothing but perhaps its answer."""
    before = (dict(bureau.database.accounts), dict(bureau.database.quotes))
    with pytest.raises(refusal) as raised:
        await bureau.executor.execute(command)
    assert (bureau.database.accounts, bureau.database.quotes) == before
    return raised.value


async def test_a_quote_promises_the_rate_of_now(bureau: Bureau) -> None:
    quote = await bureau.quote()
    assert (quote.source, quote.target, quote.spread_minor) == (Money(974, EUR), usd(1_050), 5)
    assert (quote.rate, quote.spread_basis_points, quote.customer_id) == (RATE.rate, 50, CUSTOMER)
    assert (quote.created_at, quote.expires_at) == (NOW, NOW + timedelta(seconds=60))
    assert await bureau.storage.reader.quote(quote.id) == quote
    await bureau.exchange.set_rate(PAIR, rate_of("2"), spread_basis_points=0)
    assert (await bureau.quote()).source == Money(525, EUR)
    assert bureau.quote_now(quote) == quote
    paid = await bureau.pay(quote)
    assert paid.payment.amount == usd(1_050)


async def test_a_quote_needs_a_rate_in_its_direction(bureau: Bureau) -> None:
    for pair in (CurrencyPair(USD, EUR), CurrencyPair(EUR, JPY)):
        with pytest.raises(RateNotFound):
            await bureau.exchange.quote(CUSTOMER, pair, Money(10, pair.source))
    with pytest.raises(SameCurrency):
        await bureau.exchange.quote(CUSTOMER, CurrencyPair(EUR, EUR), Money(10, EUR))
    with pytest.raises(AmountTooSmall):
        await bureau.quote(Money(1, EUR))
    with pytest.raises(AmountTooLarge):
        await bureau.quote(Money(999_999_999_999, EUR))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"valid_seconds": 0}, "valid_seconds"),
        ({"valid_seconds": 1.5}, "valid_seconds"),
        ({"amount": Money(1, JPY)}, "amount"),
        ({"rate": a_rate(EUR, JPY)}, "rate"),
    ],
)
def test_a_quote_that_nobody_can_make_is_refused(change: dict[str, Any], field: str) -> None:
    command = MakeQuote(customer_id=CUSTOMER, pair=PAIR, amount=usd(10), rate=RATE)
    with pytest.raises(InvalidInput) as refused:
        replace(command, **change)
    assert [error.field for error in refused.value.errors] == [field]


async def test_a_rate_is_set_with_its_time(bureau: Bureau) -> None:
    bureau.clock.advance(5)
    rate = await bureau.exchange.set_rate(PAIR, rate_of("1.5"), spread_basis_points=10_000)
    assert rate == a_rate(rate=rate_of("1.5"), spread_basis_points=10_000, updated_at=NOW + timedelta(seconds=5))
    assert list(await bureau.exchange.all_rates()) == [rate]
    with pytest.raises(SameCurrency):
        await bureau.exchange.set_rate(CurrencyPair(EUR, EUR), rate_of("1"), spread_basis_points=0)
    wrong: list[Any] = [-1, 10_001, 1.5, True, "1"]
    for spread in wrong:
        with pytest.raises(InvalidInput) as refused:
            await bureau.exchange.set_rate(PAIR, rate_of("1"), spread_basis_points=spread)
        assert [error.field for error in refused.value.errors] == ["spread_basis_points"]
    assert list(await bureau.exchange.all_rates()) == [rate]


async def test_how_long_a_quote_is_good_for_is_a_limit(bureau: Bureau) -> None:
    exchange = replace(bureau.exchange, limits=QuoteLimits(quote_seconds=7))
    quote = await exchange.quote(CUSTOMER, PAIR, usd(1_050))
    assert quote.expires_at == NOW + timedelta(seconds=7)


async def test_the_customer_pays_in_one_currency_and_the_merchant_gets_the_other(bureau: Bureau) -> None:
    quote = await bureau.quote()
    paid = await bureau.pay(quote)
    assert bureau.posted(EUROS, DOLLARS) == [10_000 - 974, 1_050]
    assert bureau.gateways_own() == [969, -1_050, 5, 0]
    payment, transaction = paid.payment, paid.transaction
    assert (payment.status, payment.amount, payment.quote_id) == (PaymentStatus.CAPTURED, usd(1_050), quote.id)
    assert (transaction.type, transaction.amount_minor, transaction.currency) == (TransactionType.PAYMENT, 1_050, USD)
    assert sorted(moved(each) for each in transaction.transfers) == [(5, "EUR"), (974, "EUR"), (1_050, "USD")]
    assert bureau.quote_now(quote) == quote.used_by(payment.id)


def moved(transfer: Transfer) -> tuple[int, str]:
    return transfer.amount_minor, transfer.currency


async def test_a_merchants_fee_is_charged_in_the_currency_they_are_paid_in(bureau: Bureau) -> None:
    await bureau.executor.execute(SetFees(merchant_id=MERCHANT, currency=USD, fees=FeeSchedule(290, 30)))
    paid = await bureau.pay(await bureau.quote())
    assert paid.payment.fee_amount_minor == 60
    assert bureau.posted(DOLLARS) == [1_050 - 60]
    assert bureau.gateways_own() == [969, -1_050, 5, 60]
    await bureau.refund(paid.payment, refund_fee=True)
    assert bureau.gateways_own() == [0, 0, 0, 0]
    assert bureau.posted(EUROS, DOLLARS) == [10_000, 0]


async def test_without_a_spread_nothing_goes_to_the_fees(bureau: Bureau) -> None:
    await bureau.exchange.set_rate(PAIR, rate_of("1"), spread_basis_points=0)
    paid = await bureau.pay(await bureau.quote())
    assert len(paid.transaction.transfers) == 2
    assert bureau.gateways_own() == [1_050, -1_050, 0, 0]


async def test_a_quote_is_used_once(bureau: Bureau) -> None:
    quote = await bureau.quote()
    await bureau.pay(quote)
    await refused(bureau, payment_with(quote.id), QuoteUsed)
    bureau.clock.advance(60)
    await refused(bureau, payment_with(quote.id), QuoteUsed)


async def test_of_many_at_once_one_uses_a_quote(bureau: Bureau) -> None:
    """However they are grouped: also within one transaction."""
    quote = await bureau.quote()
    outcomes = await asyncio.gather(
        *(bureau.executor.execute(payment_with(quote.id)) for _ in range(8)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Paid) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, QuoteUsed) for outcome in outcomes) == 7
    assert bureau.posted(DOLLARS) == [1_050]


async def test_the_same_key_uses_a_quote_once_and_gets_the_same_answer(bureau: Bureau) -> None:
    command = payment_with((await bureau.quote()).id)
    first = await bureau.executor.execute(command, idempotency_key="order-1")
    bureau.clock.advance(3_600)
    assert await bureau.executor.execute(command, idempotency_key="order-1") == first
    assert bureau.posted(DOLLARS) == [1_050]


async def test_a_quote_is_over_the_moment_its_time_is(bureau: Bureau) -> None:
    first, second = await bureau.quote(), await bureau.quote()
    bureau.clock.now = first.expires_at - timedelta(microseconds=1)
    await bureau.pay(first)
    bureau.clock.now = second.expires_at
    await refused(bureau, payment_with(second.id), QuoteExpired)


async def test_somebody_elses_quote_is_none(bureau: Bureau) -> None:
    theirs = await bureau.quote(customer=9)
    for quote_id in (theirs.id, QuoteId("quo_nothing")):
        await refused(bureau, payment_with(quote_id), QuoteNotFound)


@pytest.mark.parametrize(
    ("terms", "refusal"),
    [
        ({"amount": usd(1_049)}, QuoteAmountMismatch),
        ({"amount": usd(1_051)}, QuoteAmountMismatch),
        ({"merchant_id": user_id(404)}, MerchantNotFound),
    ],
)
async def test_a_payment_that_does_not_fit_its_quote_is_refused(
    bureau: Bureau, terms: dict[str, object], refusal: type[Refusal]
) -> None:
    quote = await bureau.quote()
    await refused(bureau, payment_with(quote.id, **terms), refusal)
    await bureau.pay(quote)


async def test_a_payment_with_a_quote_cannot_be_held(bureau: Bureau) -> None:
    quote = await bureau.quote()
    with pytest.raises(InvalidInput) as refused:
        payment_with(quote.id, capture=CaptureMethod.MANUAL)
    assert [error.field for error in refused.value.errors] == ["capture"]


async def test_a_payment_in_another_currency_than_the_quotes_is_refused(bureau: Bureau) -> None:
    await bureau.executor.execute(OpenAccount(key=AccountKey(MERCHANT, EUR, AccountKind.MERCHANT)))
    quote = await bureau.quote()
    await refused(bureau, payment_with(quote.id, amount=Money(1_050, EUR)), CurrencyMismatch)


async def test_without_a_quote_currencies_must_match(bureau: Bureau) -> None:
    await refused(bureau, pay(Money(10, EUR)), CurrencyMismatch)


async def test_whoever_has_no_account_in_the_source_currency_cannot_pay(bureau: Bureau) -> None:
    await bureau.executor.execute(register(9, Role.CUSTOMER, USD))
    quote = await bureau.quote(customer=9)
    await refused(bureau, payment_with(quote.id, customer_id=STRANGER), CurrencyMismatch)


async def test_a_payment_that_failed_has_not_used_its_quote(bureau: Bureau) -> None:
    quote = await bureau.quote(usd(11_000))
    refusal = await refused(bureau, payment_with(quote.id, amount=usd(11_000)), InsufficientFunds)
    failed = bureau.database.payments[refusal.facts["payment_id"]]
    assert (failed.status, failed.quote_id, failed.amount) == (PaymentStatus.FAILED, None, usd(11_000))
    await bureau.executor.execute(deposit(Money(1_000, EUR), bureau.account(EUROS).id))
    await bureau.pay(quote)


async def test_a_frozen_customer_cannot_pay_across_either(bureau: Bureau) -> None:
    quote = await bureau.quote()
    await bureau.executor.execute(FreezeAccount(account_id=bureau.account(EUROS).id))
    await refused(bureau, payment_with(quote.id), AccountFrozen)


async def test_a_request_is_confirmed_with_a_quote(bureau: Bureau) -> None:
    asked = await bureau.request()
    quote = await bureau.quote()
    paid = await bureau.confirm(asked, quote)
    assert (paid.payment.status, paid.payment.quote_id, paid.payment.version) == (PaymentStatus.CAPTURED, quote.id, 2)
    assert bureau.posted(EUROS, DOLLARS) == [10_000 - 974, 1_050]
    assert bureau.quote_now(quote).payment_id == asked.id
    await bureau.refund(paid.payment)
    assert bureau.posted(EUROS, DOLLARS) == [10_000, 0]


async def test_a_confirmation_that_does_not_fit_its_quote_is_refused(bureau: Bureau) -> None:
    quote, other = await bureau.quote(), await bureau.quote(usd(1))
    held = await bureau.request(capture=CaptureMethod.MANUAL)
    asked = await bureau.request()

    def confirmation(payment: Payment, quote_id: QuoteId, customer: int = 1) -> ConfirmPayment:
        return ConfirmPayment(payment_id=payment.id, customer_id=user_id(customer), quote_id=quote_id)

    await refused(bureau, confirmation(held, quote.id), InvalidInput)
    await refused(bureau, confirmation(asked, other.id), QuoteAmountMismatch)
    await refused(bureau, confirmation(asked, quote.id, customer=9), QuoteNotFound)
    await bureau.pay(quote)
    await refused(bureau, confirmation(asked, quote.id), QuoteUsed)
    late = await bureau.quote()
    bureau.clock.advance(60)
    await refused(bureau, confirmation(asked, late.id), QuoteExpired)
    await bureau.confirm(asked, await bureau.quote())
    await refused(bureau, confirmation(asked, (await bureau.quote()).id), PaymentStateInvalid)


async def test_a_confirmation_that_failed_has_not_used_its_quote(bureau: Bureau) -> None:
    asked = await bureau.request(amount=usd(11_000))
    quote = await bureau.quote(usd(11_000))
    with pytest.raises(InsufficientFunds):
        await bureau.confirm(asked, quote)
    tried = bureau.database.payments[asked.id]
    assert (tried.status, tried.quote_id) == (PaymentStatus.REQUIRES_CONFIRMATION, None)
    await bureau.executor.execute(deposit(Money(1_000, EUR), bureau.account(EUROS).id))
    await bureau.confirm(asked, quote)


async def test_a_refund_goes_back_at_the_rate_of_the_payment(bureau: Bureau) -> None:
    payment = (await bureau.pay(await bureau.quote())).payment
    await bureau.exchange.set_rate(PAIR, rate_of("3"), spread_basis_points=0)
    bureau.clock.advance(86_400)
    await bureau.refund(payment, 525)
    assert bureau.posted(EUROS, DOLLARS) == [10_000 - 487, 525]
    assert bureau.gateways_own() == [484, -525, 3, 0]
    await bureau.refund(payment)
    assert bureau.posted(EUROS, DOLLARS) == [10_000, 0]
    assert bureau.gateways_own() == [0, 0, 0, 0]


async def test_a_refund_tells_what_the_merchant_gave_back(bureau: Bureau) -> None:
    payment = (await bureau.pay(await bureau.quote())).payment
    await bureau.refund(payment, 525)
    [refund] = bureau.database.refunds.values()
    transaction = bureau.database.transactions[refund.transaction_id]
    assert refund.amount == usd(525)
    assert (transaction.type, transaction.amount_minor, transaction.currency) == (TransactionType.REFUND, 525, USD)
    assert sorted(moved(each) for each in transaction.transfers) == [(2, "EUR"), (487, "EUR"), (525, "USD")]


async def test_a_merchant_who_is_short_gives_nothing_back(bureau: Bureau) -> None:
    payment = (await bureau.pay(await bureau.quote())).payment
    await bureau.executor.execute(MakePayout(account_id=bureau.account(DOLLARS).id, amount=usd(1), owner_id=MERCHANT))
    await refused(bureau, RefundPayment(payment_id=payment.id, merchant_id=MERCHANT), MerchantInsufficientFunds)
    await bureau.refund(payment, 1_049)


async def test_a_payment_across_is_refunded_and_not_reversed(bureau: Bureau) -> None:
    paid = await bureau.pay(await bureau.quote())
    await refused(bureau, ReverseTransaction(transaction_id=paid.transaction.id, reason="x"), UseRefund)


async def test_a_payment_without_a_quote_asks_for_nothing_more(bureau: Bureau) -> None:
    await bureau.executor.execute(pay(usd(10)))
    assert bureau.watch.loads[-1].quotes == set()
    assert bureau.watch.loads[-1].account_keys == {
        AccountKey(CUSTOMER, USD, AccountKind.CUSTOMER),
        AccountKey(MERCHANT, USD, AccountKind.MERCHANT),
    }
    assert list(bureau.watch.commits[-1].quotes_changed) == []


async def test_a_quote_moves_nothing_and_locks_nothing(bureau: Bureau) -> None:
    await bureau.quote()
    [load], [commit] = bureau.watch.loads, bureau.watch.commits
    assert (load.account_keys, load.account_ids, load.payments) == (set(), set(), set())
    assert (list(commit.accounts_changed), list(commit.transactions_new), len(commit.quotes_new)) == ([], [], 1)


CURRENCIES = [currency_code(code) for code in ("JPY", "USD", "KWD", "CLF")]


@settings(deadline=None)
@given(data=st.data())
async def test_whatever_is_paid_and_refunded_no_minor_unit_is_made_or_lost(data: st.DataObject) -> None:
    """In currencies of 0, 2, 3 and 4 decimals, at any rate and spread, with fees, in any parts."""
    pair = CurrencyPair(*data.draw(st.sampled_from(list(permutations(CURRENCIES, 2)))))
    rate = a_rate(
        *pair,
        rate=rate_of(f"{data.draw(st.decimals('0.001', 1_000, places=12)):f}"),
        spread_basis_points=data.draw(st.integers(0, 9_000)),
    )
    amount = Money(data.draw(st.integers(1, 10**7)), data.draw(st.sampled_from(pair)))
    try:
        expected = converted(amount, rate)
    except Refusal:
        return
    ledger = await Ledger.opened(pair, expected.source, FeeSchedule(data.draw(st.integers(0, 1_000)), 1))
    quote = await ledger.executor.execute(MakeQuote(customer_id=CUSTOMER, pair=pair, amount=amount, rate=rate))
    paid = await ledger.executor.execute(payment_with(quote.id, amount=quote.target))
    customer = AccountKey(CUSTOMER, pair.source, AccountKind.CUSTOMER)
    merchant = AccountKey(MERCHANT, pair.target, AccountKind.MERCHANT)
    fee = paid.payment.fee_amount_minor
    assert ledger.posted(customer, merchant) == [0, quote.target.amount_minor - fee]
    await ledger.fund(merchant, fee)
    left = quote.target.amount_minor
    for _ in range(data.draw(st.integers(0, 4))):
        if left > 1:
            part = data.draw(st.integers(1, left - 1))
            await ledger.refund(paid.payment, part, refund_fee=data.draw(st.booleans()))
            left -= part
    await ledger.refund(paid.payment, None, refund_fee=True)
    assert ledger.posted(customer) == [quote.source.amount_minor]
    exchange = [system_account(AccountKind.EXCHANGE, currency) for currency in pair]
    assert ledger.posted(*exchange, system_account(AccountKind.FEES, pair.source)) == [0, 0, 0]
    async with ledger.storage.audit() as audit:
        assert (await verify(audit)).named == []


@dataclass(frozen=True)
class Ledger:
    """A customer with money in one currency, and a merchant in another."""

    executor: CommandExecutor
    storage: Storage
    database: MemoryDatabase

    @staticmethod
    async def opened(pair: CurrencyPair, balance: Money, fees: FeeSchedule) -> "Ledger":
        database = MemoryDatabase()
        storage = memory_storage(database)
        executor = CommandExecutor(OneByOne(a_batch(storage).run), time_ordered_id)
        customer = (await executor.execute(register(1, Role.CUSTOMER, pair.source))).accounts[0]
        await executor.execute(register(2, Role.MERCHANT, pair.target))
        await executor.execute(SetFees(merchant_id=MERCHANT, currency=pair.target, fees=fees))
        await executor.execute(deposit(balance, customer.id))
        return Ledger(executor, storage, database)

    def posted(self, *keys: AccountKey) -> list[int]:
        return [self.database.accounts[self.database.account_ids[key]].posted for key in keys]

    async def fund(self, key: AccountKey, amount_minor: int) -> None:
        """So that what was kept as a fee does not stand in the way of a whole refund."""
        if amount_minor:
            await self.executor.execute(deposit(Money(amount_minor, key.currency), self.database.account_ids[key]))

    async def refund(self, payment: Payment, amount_minor: int | None, *, refund_fee: bool) -> None:
        await self.executor.execute(
            RefundPayment(payment_id=payment.id, merchant_id=MERCHANT, amount_minor=amount_minor, refund_fee=refund_fee)
        )
