"""What every store of rates promises whose rates can be set."""

import asyncio
from datetime import timedelta

import pytest

from gateway.application.ports.storage import Storage
from gateway.contracts.records import EUR, JPY, NOW, USD, a_rate
from gateway.domain.rate import CurrencyPair, rate_of


class RatesContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    @pytest.mark.parametrize(
        "text", ["1.0842", "0.000000001", "1000000000", "0.123456789012", "999999999.999999999999"]
    )
    async def test_a_rate_comes_back_to_the_last_place(self, storage: Storage, text: str) -> None:
        """As it was set, with its spread and its time."""
        rate = a_rate(rate=rate_of(text), spread_basis_points=10_000, updated_at=NOW + timedelta(microseconds=1))
        await storage.rates.put(rate)
        assert await storage.rates.rate(rate.pair) == rate

    async def test_a_pair_that_nobody_has_set_has_no_rate(self, storage: Storage) -> None:
        """Nor has the other direction of one that somebody has."""
        assert await storage.rates.rate(CurrencyPair(EUR, USD)) is None
        assert list(await storage.rates.rates()) == []
        await storage.rates.put(a_rate(EUR, USD))
        for pair in (CurrencyPair(USD, EUR), CurrencyPair(EUR, JPY), CurrencyPair(JPY, USD)):
            assert await storage.rates.rate(pair) is None

    async def test_a_rate_that_is_set_again_takes_the_place_of_the_old_one(self, storage: Storage) -> None:
        """And of no other."""
        await storage.rates.put(a_rate(EUR, USD))
        await storage.rates.put(a_rate(USD, EUR))
        changed = a_rate(EUR, USD, rate=rate_of("2"), spread_basis_points=0, updated_at=NOW + timedelta(seconds=1))
        await storage.rates.put(changed)
        assert await storage.rates.rate(changed.pair) == changed
        assert list(await storage.rates.rates()) == [changed, a_rate(USD, EUR)]

    async def test_rates_come_in_the_order_of_their_pairs(self, storage: Storage) -> None:
        """Whenever they were set."""
        rates = [a_rate(EUR, JPY), a_rate(EUR, USD), a_rate(JPY, EUR), a_rate(USD, EUR)]
        for rate in (rates[2], rates[0], rates[3], rates[1]):
            await storage.rates.put(rate)
        assert list(await storage.rates.rates()) == rates

    async def test_of_sixteen_who_set_a_rate_at_once_one_is_the_last(self, storage: Storage) -> None:
        """Whole: the rate of one with the spread of another would be nobody's."""
        rates = [a_rate(rate=rate_of(str(n)), spread_basis_points=n) for n in range(1, 17)]
        await asyncio.gather(*(storage.rates.put(rate) for rate in rates))
        assert await storage.rates.rate(rates[0].pair) in rates
