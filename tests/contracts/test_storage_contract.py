"""`StorageContract` has every test of every contract of a storage: none is forgotten, and none hides another."""

import inspect
import pkgutil
from collections import Counter
from importlib import import_module
from typing import Any

from gateway import contracts
from gateway.contracts.storage import StorageContract

OTHER_PORTS = {"AccessTokensContract", "IdentifiersContract", "PasswordHasherContract"}
BEYOND_A_PROCESS = {"DurabilityContract", "OutageContract", "SharedStorageContract"}


def every_contract() -> list[type[Any]]:
    modules = [import_module(each.name) for each in pkgutil.walk_packages(contracts.__path__, "gateway.contracts.")]
    return [
        kind
        for module in modules
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if name.endswith("Contract") and kind.__module__ == module.__name__
    ]


def test_no_contract_of_a_storage_is_forgotten() -> None:
    of_a_storage = {kind for kind in every_contract() if kind.__name__ not in OTHER_PORTS | BEYOND_A_PROCESS}
    assert of_a_storage == set(StorageContract.__mro__) & set(every_contract())
    assert len(of_a_storage) > len(OTHER_PORTS)


def test_no_test_hides_another() -> None:
    names = Counter(name for kind in StorageContract.__mro__ for name in vars(kind) if not name.startswith("__"))
    assert {name for name, count in names.items() if count > 1} == {"pytestmark"} & names.keys()
    assert sum(name.startswith("test_") for name in names) > 150


def test_contracts_rewrite_the_assertions_of_all_their_modules() -> None:
    modules = {each.name for each in pkgutil.iter_modules(contracts.__path__)}
    assert set(contracts.REWRITTEN) == modules
