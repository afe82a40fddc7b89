"""Rates in a dictionary."""

from collections.abc import Sequence

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.application.ports.rates import Rates
from gateway.domain.audit import AuditRecord
from gateway.domain.rate import CurrencyPair, ExchangeRate


class MemoryRates(Rates):
    """See the port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    @override
    async def rate(self, pair: CurrencyPair) -> ExchangeRate | None:
        return self._database.rates.get(pair)

    @override
    async def rates(self) -> Sequence[ExchangeRate]:
        return [self._database.rates[pair] for pair in sorted(self._database.rates)]

    @override
    async def put(self, rate: ExchangeRate, *, audit: AuditRecord | None = None) -> None:
        self._database.rates[rate.pair] = rate
        self._database.append_audit(audit)
