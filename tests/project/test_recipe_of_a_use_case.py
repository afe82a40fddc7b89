"""The recipe for a use-case in CONTRIBUTING.md: a place that lacks a command is named with the command."""

import ast
import asyncio
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

import pytest

import gateway
from gateway.adapters.http import app, resources
from gateway.adapters.memory import memory_storage
from gateway.application import commands
from gateway.application.engine.command import Command
from gateway.application.verification.payment_flows import PAYMENT_TRANSFERS
from gateway.domain.transaction import TransactionType
from gateway.simulation.operations import OPERATIONS
from gateway.simulation.rules import RULES
from support.hostile import a_shop

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "gateway"
RESOURCES = PACKAGE / "adapters" / "http" / "resources"
NOT_PAYMENTS = {TransactionType.DEPOSIT, TransactionType.PAYOUT, TransactionType.REVERSAL}
WITHOUT_OPERATION = {
    "AcceptCustomerInvitation": "application/customers.py submits it",
    "InviteCustomer": "application/customers.py submits it",
    "AcceptInvitation": "application/members.py submits it",
    "InviteMember": "application/members.py submits it",
    "RemoveMember": "application/members.py submits it",
    "ChangeWebhookEndpoint": "application/webhooks.py submits it",
    "CreateApiKey": "application/api_keys.py submits it",
    "CreateWebhookEndpoint": "application/webhooks.py submits it",
    "DisableWebhookEndpoint": "application/events/dispatcher.py submits it",
    "ExpirePayment": "application/expiry.py submits it",
    "MakeQuote": "application/quotes.py submits it",
    "Register": "application/access/access.py submits it",
    "RotateApiKey": "application/api_keys.py submits it",
    "RotateWebhookSecret": "application/webhooks.py submits it",
}
"""The commands that no operation makes of a request."""


def every_command() -> set[str]:
    """The commands that the files of application/commands/ define."""
    modules = [import_module(f"{commands.__name__}.{file.name}") for file in pkgutil.iter_modules(commands.__path__)]
    return {
        name
        for module in modules
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Command) and kind.__module__ == module.__name__
    }


def imported(source: Path) -> Iterator[str]:
    """The names that a file imports, also those that it imports for type checkers alone."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)


def exported() -> set[str]:
    names = {name for name in gateway.__all__ if hasattr(gateway, name)}
    return names & set(imported(PACKAGE / "__init__.py"))


def with_an_operation() -> set[str]:
    return {name for file in RESOURCES.glob("*.py") for name in imported(file)} | WITHOUT_OPERATION.keys()


def simulated() -> set[str]:
    return {get_type_hints(operation)["return"].__name__ for _, operation in OPERATIONS}


def with_a_rule() -> set[str]:
    return {kind.__name__ for kind in RULES}


def with_hostile_input() -> set[str]:
    return {kind.__name__ for kind in asyncio.run(a_shop(memory_storage())).commands}


PLACES: dict[str, Callable[[], set[str]]] = {
    "src/gateway/__init__.py": exported,
    "src/gateway/adapters/http/resources/": with_an_operation,
    "src/gateway/simulation/operations/": simulated,
    "src/gateway/simulation/rules/": with_a_rule,
    "tests/support/hostile.py": with_hostile_input,
}
"""The commands that stand in each place."""

OTHER_PLACES = (
    "src/gateway/application/commands/",
    "src/gateway/domain/transaction.py",
    "src/gateway/application/verification/payment_flows.py",
    "src/gateway/adapters/http/authorization.py",
    "tests/api/test_roles.py",
    "tests/support/lives_of_payments.py",
)
"""The places that other tests name when they fail, and those where a use-case begins."""


def test_there_are_commands() -> None:
    assert {"Pay", "RefundPayment"} <= every_command()


@pytest.mark.parametrize("place", PLACES)
def test_every_command_stands_in_every_place(place: str) -> None:
    missing = sorted(every_command() - PLACES[place]())
    assert missing == [], f"{place} lacks {', '.join(missing)}"


def test_every_file_of_resources_is_served() -> None:
    files = {file.name for file in pkgutil.iter_modules(resources.__path__)} - {"fields"}
    missing = sorted(files - vars(app).keys())
    assert missing == [], f"all_operations in src/gateway/adapters/http/app.py lacks {', '.join(missing)}"


def test_the_transfers_of_every_type_of_transaction_are_known() -> None:
    missing = sorted(set(TransactionType) - {kind for kind, *_ in PAYMENT_TRANSFERS} - NOT_PAYMENTS)
    detail = f"PAYMENT_TRANSFERS in src/gateway/application/verification/payment_flows.py lacks {', '.join(missing)}"
    assert missing == [], detail


def test_the_recipe_names_every_place() -> None:
    recipe = (
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Add a use-case")[2].partition("\n## ")[0]
    )
    named = {name for name in re.findall(r"`([\w/.]+)`", recipe) if "/" in name}
    missing = [place for place in (*PLACES, *OTHER_PLACES) if not {place, place.removeprefix("src/gateway/")} & named]
    assert missing == []
