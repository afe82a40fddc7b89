"""Rates and quotes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from application.bureau import PAIR, RATE, Bureau
from gateway import MakeQuote
from gateway.application.errors import InvalidInput
from gateway.application.quotes import QuoteLimits
from gateway.contracts.records import EUR, JPY, NOW, USD, a_rate
from gateway.domain.errors import (
    AmountTooLarge,
    AmountTooSmall,
    RateNotFound,
    SameCurrency,
)
from gateway.domain.money import Money
from gateway.domain.rate import CurrencyPair, rate_of
from support.builders import (
    CUSTOMER,
    usd,
)


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


async def test_a_quote_moves_nothing_and_locks_nothing(bureau: Bureau) -> None:
    await bureau.quote()
    [load], [commit] = bureau.watch.loads, bureau.watch.commits
    assert (load.account_keys, load.account_ids, load.payments) == (set(), set(), set())
    assert (list(commit.accounts_changed), list(commit.transactions_new), len(commit.quotes_new)) == ([], [], 1)
