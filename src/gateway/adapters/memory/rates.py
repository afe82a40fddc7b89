"""Rates in a dictionary."""

from collections.abc import Sequence

from gateway.adapters.memory.database import MemoryDatabase
from gateway.domain.rate import CurrencyPair, ExchangeRate


class MemoryRates:
    """See the port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._rates = database.rates

    async def rate(self, pair: CurrencyPair) -> ExchangeRate | None:
        """As `Rates.rate`."""
        return self._rates.get(pair)

    async def rates(self) -> Sequence[ExchangeRate]:
        """As `Rates.rates`."""
        return [self._rates[pair] for pair in sorted(self._rates)]

    async def put(self, rate: ExchangeRate) -> None:
        """As `Rates.put`."""
        self._rates[rate.pair] = rate
