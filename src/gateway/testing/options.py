"""The options of the plugin."""

from typing import Final

import pytest

OPTION: Final = "gateway_storage"
DEFAULT: Final = "memory"
HELP: Final = (
    "The storage of the fixture `gateway`: memory (the default); sqlite, a new file for each test; the URL of a "
    "database, which tests share; or module:function, which opens a Storage."
)


def storage_named(config: pytest.Config) -> str:
    """The storage that the command line names, or else the configuration."""
    return str(config.getoption(OPTION) or config.getini(OPTION))
