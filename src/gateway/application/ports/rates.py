"""Rates: what currencies cost in one another, as somebody has set them."""

from collections.abc import Sequence
from typing import Protocol

from gateway.domain.audit import AuditRecord
from gateway.domain.rate import CurrencyPair, ExchangeRate


class Rates(Protocol):
    """The rates that quotes are made at. All raise `StorageUnavailable` when their storage is away.

    A pair has a direction: the rate of one tells nothing of the other way round.
    """

    async def rate(self, pair: CurrencyPair) -> ExchangeRate | None:
        """The rate of a pair, or `None` if nobody has set it."""
        ...

    async def rates(self) -> Sequence[ExchangeRate]:
        """All rates, in the order of their pairs."""
        ...

    async def put(self, rate: ExchangeRate, *, audit: AuditRecord | None = None) -> None:
        """Set the rate of a pair, in place of its present rate, and write `audit` with it.

        Raises:
            RatesReadOnly: They are set elsewhere.
        """
        ...
