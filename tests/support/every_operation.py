"""Every operation of the API, with somebody who may ask it, and a path with ids in it."""

import re
from dataclasses import dataclass
from typing import Final

from gateway.adapters.http.app import all_operations
from gateway.adapters.http.cursors import Cursors
from gateway.adapters.http.operations import Idempotency, Operation
from support.api_client import CURSOR_KEYS, Api, Person, World, fresh_key

EVERY_OPERATION: Final = all_operations(Cursors(CURSOR_KEYS), sandbox=True)
_CURRENCIES: Final = {"{from}": "EUR", "{to}": "USD"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Everybody:
    """Somebody of each role."""

    world: World
    customer: Person
    merchant: Person
    operator: Person

    def person(self, role: str) -> Person:
        """Somebody of this role."""
        return {"customer": self.customer, "merchant": self.merchant, "operator": self.operator}[role]

    def who_may(self, operation: Operation) -> Api:
        """Somebody who may ask this."""
        return self.person(min(operation.roles)).api if operation.roles else self.world.anyone


def path_of(operation: Operation, path_id: str = "x") -> str:
    """The path, with ids and currencies in it."""
    return re.sub(r"{\w+}", lambda name: _CURRENCIES.get(name.group(), path_id), operation.path)


def key_for(operation: Operation) -> str | None:
    """A fresh key, if the operation needs one."""
    return fresh_key() if operation.idempotency is Idempotency.REQUIRED else None
