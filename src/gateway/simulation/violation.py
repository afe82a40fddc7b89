"""Violation: what was found broken."""

from typing import NamedTuple


class Violation(NamedTuple):
    """One thing that is not as it must be."""

    invariant: str
    """The stable name of what is broken, for example `"account_available"`."""
    detail: str
    """One sentence for a person."""
