"""What every store of rates promises whose rates can be set."""

import asyncio
from datetime import timedelta

import pytest

from gateway.application.ports.rates import Rates
from gateway.contracts.records import EUR, JPY, NOW, USD, a_rate
from gateway.domain.rate import CurrencyPair, rate_of


class RatesContract:
    """Subclass it, and give a fixture `rates` which returns `Rates` of which none is set yet."""

    @pytest.mark.parametrize(
        "text", ["1.0842", "0.000000001", "1000000000", "0.123456789012", "999999999.999999999999"]
    )
    async def test_a_rate_comes_back_to_the_last_place(self, rates: Rates, text: str) -> None:
        """As it was set, with its spread and its time."""
        rate = a_rate(rate=rate_of(text), spread_basis_points=10_000, updated_at=NOW + timedelta(microseconds=1))
        await rates.put(rate)
        assert await rates.rate(rate.pair) == rate

    async def test_a_pair_that_nobody_has_set_has_no_rate(self, rates: Rates) -> None:
        """Nor has the other direction of one that somebody has."""
        assert await rates.rate(CurrencyPair(EUR, USD)) is None
        assert list(await rates.rates()) == []
        await rates.put(a_rate(EUR, USD))
        for pair in (CurrencyPair(USD, EUR), CurrencyPair(EUR, JPY), CurrencyPair(JPY, USD)):
            assert await rates.rate(pair) is None

    async def test_a_rate_that_is_set_again_takes_the_place_of_the_old_one(self, rates: Rates) -> None:
        """And of no other."""
        await rates.put(a_rate(EUR, USD))
        await rates.put(a_rate(USD, EUR))
        changed = a_rate(EUR, USD, rate=rate_of("2"), spread_basis_points=0, updated_at=NOW + timedelta(seconds=1))
        await rates.put(changed)
        assert await rates.rate(changed.pair) == changed
        assert list(await rates.rates()) == [changed, a_rate(USD, EUR)]

    async def test_rates_come_in_the_order_of_their_pairs(self, rates: Rates) -> None:
        """Whenever they were set."""
        expected = [a_rate(EUR, JPY), a_rate(EUR, USD), a_rate(JPY, EUR), a_rate(USD, EUR)]
        for rate in (expected[2], expected[0], expected[3], expected[1]):
            await rates.put(rate)
        assert list(await rates.rates()) == expected

    async def test_of_sixteen_who_set_a_rate_at_once_one_is_the_last(self, rates: Rates) -> None:
        """Whole: the rate of one with the spread of another would be nobody's."""
        wanted = [a_rate(rate=rate_of(str(n)), spread_basis_points=n) for n in range(1, 17)]
        await asyncio.gather(*(rates.put(rate) for rate in wanted))
        assert await rates.rate(wanted[0].pair) in wanted
