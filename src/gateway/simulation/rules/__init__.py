"""The rules of the ledger, written a second time from the specification: one for each command."""

from datetime import datetime
from typing import Any, Final

from gateway.application.engine.command import Command
from gateway.simulation.effect import Effect
from gateway.simulation.model import Model, Refused, Rules
from gateway.simulation.rules import (
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

RULES: Final[Rules] = {
    **accounts.RULES,
    **money.RULES,
    **payments.RULES,
    **refunds.RULES,
    **exchange.RULES,
    **webhooks.RULES,
    **api_keys.RULES,
    **customers.RULES,
    **members.RULES,
}


def effect_of(command: Command[Any], model: Model, now: datetime) -> Effect:
    """The effect that a command must have."""
    try:
        return RULES[type(command)](model, command, now)
    except Refused as refused:
        return Effect(refusal=refused.code, facts=refused.facts)
