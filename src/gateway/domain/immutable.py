"""immutable: a dataclass that is frozen for the type checkers, and costs a third of one that is frozen at run time."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

Class = TypeVar("Class")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def immutable(kind: type[Class]) -> type[Class]:
    """Make a class an immutable record, compared and hashed by its fields, which are given by name.

    Assigning to a field is an error of mypy and pyright, which both run over all of this code. At run time nothing
    stops it, and that is the point: `frozen=True` sets each field through `object.__setattr__`, and a payment makes
    some ten records (docs/decisions/0008).
    """
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(kind)
