"""immutable: a dataclass that is frozen for the type checkers, and costs a third of one that is frozen at run time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar, dataclass_transform

Class = TypeVar("Class")

ADDED_LATER: Final[Mapping[str, bool]] = {"added later": True}
"""The `metadata` of a field that a command or a value got after its first release, with a default: `field(default=None,
metadata=ADDED_LATER)`. While it has its default, requests have the same fingerprint as before."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def immutable(kind: type[Class]) -> type[Class]:
    """Make a class an immutable record, compared and hashed by its fields, which are given by name.

    Assigning to a field is an error of mypy and pyright, which both run over all of this code. At run time nothing
    stops it, and that is the point: `frozen=True` sets each field through `object.__setattr__`, and a payment makes
    some ten records (docs/decisions/0008).
    """
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(kind)
