"""How many requests to one endpoint are in flight at once: more while they succeed, fewer while they fail."""

from typing import Final

INITIAL: Final = 4


class AdaptiveLimit:
    """Doubles with each success, up to a maximum; halves with each failure, down to 1."""

    def __init__(self, limit_max: int, *, is_slow: bool) -> None:
        """A new limit.

        Args:
            limit_max: The maximum.
            is_slow: Whether the endpoint failed lately: the first request is sent alone.
        """
        self._max = limit_max
        self.current = 1 if is_slow else min(INITIAL, limit_max)

    def succeeded(self) -> None:
        """A request succeeded."""
        self.current = min(self.current * 2, self._max)

    def failed(self) -> None:
        """A request failed."""
        self.current = max(self.current // 2, 1)
