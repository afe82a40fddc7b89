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
from gateway.domain.errors import AmountTooLarge, AmountTooSmall, SameCurrency
from gateway.domain.exchange_errors import RateChangeTooLarge, RateNotFound
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
        ({"refund_seconds": 0}, "refund_seconds"),
        ({"refund_seconds": 1_000_000_001}, "refund_seconds"),
        ({"refund_seconds": True}, "refund_seconds"),
        ({"spread_refund": "never"}, "spread_refund"),
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


async def test_a_rate_that_jumps_is_confirmed_or_refused(bureau: Bureau) -> None:
    exchange = replace(bureau.exchange, limits=QuoteLimits(rate_change_percent_max=10))
    for rate in ("0.9", "1", "0.9"):
        await exchange.set_rate(PAIR, rate_of(rate), spread_basis_points=0, confirmed=rate == "0.9")
    for jump in ("1.000000000001", "0.809999999999", "1000000000", "0.000000001"):
        with pytest.raises(RateChangeTooLarge) as refused:
            await exchange.set_rate(PAIR, rate_of(jump), spread_basis_points=0)
        assert refused.value.facts == {"current_rate": "0.9"}
    assert [rate.rate for rate in await exchange.all_rates()] == [rate_of("0.9")]
    await exchange.set_rate(PAIR, rate_of("0.81"), spread_basis_points=0)
    await exchange.set_rate(PAIR, rate_of("81"), spread_basis_points=0, confirmed=True)
    await exchange.set_rate(CurrencyPair(USD, EUR), rate_of("9"), spread_basis_points=0)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("refund_seconds", 0),
        ("refund_seconds", 1_000_000_001),
        ("spread_refund", "always"),
        ("rate_change_percent_max", 0),
        ("rate_change_percent_max", 101),
    ],
)
def test_limits_of_quotes_that_are_none_are_refused(field: str, wrong: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        QuoteLimits(**{field: wrong})  # type: ignore[arg-type]  # That is what is tested.
    assert [error.field for error in refused.value.errors] == [field]


async def test_how_long_a_quote_is_good_for_is_a_limit(bureau: Bureau) -> None:
    exchange = replace(bureau.exchange, limits=QuoteLimits(quote_seconds=7))
    quote = await exchange.quote(CUSTOMER, PAIR, usd(1_050))
    assert quote.expires_at == NOW + timedelta(seconds=7)


async def test_a_quote_moves_nothing_and_locks_nothing(bureau: Bureau) -> None:
    await bureau.quote()
    [load], [commit] = bureau.watch.loads, bureau.watch.commits
    assert (load.account_keys, load.account_ids, load.payments) == (set(), set(), set())
    assert (list(commit.accounts_changed), list(commit.transactions_new), len(commit.quotes_new)) == ([], [], 1)
