"""Identifiers that count, so that a history has the same ones whenever it is played."""

from collections import Counter
from datetime import datetime

from gateway.application.ports.identifiers import NewId


class CountedIdentifiers:
    """The port `Identifiers`: 1, 2, 3 and so on of each prefix."""

    def __init__(self) -> None:
        self._made = Counter[str]()

    def of(self, _: datetime) -> NewId:
        """The same of any moment: the clock of the simulation never goes back."""
        return self

    def __call__(self, prefix: str) -> str:
        """The next identifier of this prefix; as text it sorts after those before it."""
        self._made[prefix] += 1
        return f"{prefix}_{self._made[prefix]:026d}"
