"""The plugin of pytest: its options, and its fixtures, which `gateway.testing.fixtures` defines.

pytest loads this file in every run of an environment with the gateway. It imports nothing of the gateway before a test
asks for a fixture.
"""

from types import ModuleType
from typing import Any

import pytest

from gateway.testing.options import DEFAULT, HELP, OPTION, storage_named


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option, on the command line and in the configuration."""
    group = parser.getgroup("gateway", "the fixtures of the payment gateway")
    group.addoption("--gateway-storage", dest=OPTION, metavar="STORAGE", help=HELP)
    parser.addini(OPTION, HELP, default=DEFAULT)


def pytest_configure(config: pytest.Config) -> None:
    """Register the fixtures: with pytest-asyncio if it is there, else for anyio."""
    config.pluginmanager.register(_fixtures(config), "gateway-fixtures")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse a storage that there is not before the first test, and not once in each.

    Raises:
        pytest.UsageError: The option names no storage.
    """
    name = storage_named(session.config)
    if name != DEFAULT and any("gateway_storage" in getattr(item, "fixturenames", ()) for item in session.items):
        from gateway.testing.storages import check_named

        check_named(name)


def _fixtures(config: pytest.Config) -> ModuleType:
    """A module with a fixture for each function of `gateway.testing.fixtures`."""
    fixture: Any = pytest.fixture
    if config.pluginmanager.hasplugin("asyncio"):
        # Imported here: pytest would warn about a plugin that is imported before it is loaded.
        import pytest_asyncio

        fixture = pytest_asyncio.fixture
    from gateway.testing import fixtures

    module = ModuleType("gateway_fixtures", fixtures.__doc__)
    for function in fixtures.PLAIN:
        setattr(module, function.__name__, pytest.fixture(function))
    for function in fixtures.OF_A_SESSION:
        setattr(module, function.__name__, pytest.fixture(function, scope="session"))
    for function in fixtures.COROUTINES:
        setattr(module, function.__name__, fixture(function))
    return module
