"""Rates in a dictionary."""

from collections.abc import Sequence

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.application.ports.rates import Rates
from gateway.domain.rate import CurrencyPair, ExchangeRate


class MemoryRates(Rates):
    """See the port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._rates = database.rates

    @override
    async def rate(self, pair: CurrencyPair) -> ExchangeRate | None:
        return self._rates.get(pair)

    @override
    async def rates(self) -> Sequence[ExchangeRate]:
        return [self._rates[pair] for pair in sorted(self._rates)]

    @override
    async def put(self, rate: ExchangeRate) -> None:
        self._rates[rate.pair] = rate
