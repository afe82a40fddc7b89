"""What users do: each operation draws one command, out of what the world knows."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway.application.engine.command import Command
from gateway.simulation.operations import (
    accounts,
    api_keys,
    customers,
    exchange,
    members,
    money,
    payments,
    refunds,
    webhooks,
)
from gateway.simulation.world import World

Operation = Callable[[World], Command[Any]]

OPERATIONS: Final[Sequence[tuple[int, Operation]]] = (
    *accounts.OPERATIONS,
    *money.OPERATIONS,
    *payments.OPERATIONS,
    *refunds.OPERATIONS,
    *exchange.OPERATIONS,
    *webhooks.OPERATIONS,
    *api_keys.OPERATIONS,
    *customers.OPERATIONS,
    *members.OPERATIONS,
)
"""Each with its relative frequency."""

_DECK: Final = tuple(operation for weight, operation in OPERATIONS for _ in range(weight))


def any_command(world: World) -> Command[Any]:
    """A command of any kind."""
    return world.one_of(_DECK)(world)
