"""A hybrid logical clock: ids of new transactions sort after all that this process has seen (docs/decisions/0022)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from gateway.adapters.sql.rows.values import Values
from gateway.application.ports.unit_of_work import Changes

_SECOND: Final = timedelta(seconds=1)
_NOT_AHEAD: Final = timedelta()


class HybridClock:
    """One for each storage: accounts that are cached are not loaded again.

    Attributes:
        latest_at: The latest timestamp in the transaction ids of all loaded accounts and all decided changes: a hybrid
            logical clock (Kulkarni et al., 2014).
    """

    def __init__(self) -> None:
        self.latest_at: datetime | None = None
        self._seconds_ahead = 0

    def notice(self, moments: Iterable[datetime | None]) -> None:
        """Know of more moments."""
        for moment in moments:
            if moment is not None and (self.latest_at is None or moment > self.latest_at):
                self.latest_at = moment

    def ids_ahead(self, changes: Changes) -> list[Values]:
        """The row of `ids_ahead`, if identifiers are further ahead of `created_at` than any before them.

        Powers of two: few rows, however clocks drift apart.
        """
        newest = next(iter(changes.transactions_new), None)
        if newest is None or changes.latest_at is None:
            return []
        by = changes.latest_at - newest.created_at
        if by <= _NOT_AHEAD or by <= self._seconds_ahead * _SECOND:
            return []
        return [(newest.id, 1 << (-(-by // _SECOND) - 1).bit_length())]

    def committed(self, ahead: Iterable[Values]) -> None:
        """Know that rows of `ids_ahead` were committed."""
        for _, seconds in ahead:
            self._seconds_ahead = max(self._seconds_ahead, seconds)
