"""One history has the same consequences on every storage adapter."""

import pytest

from gateway.contracts.history import HistoryContract


@pytest.mark.locking
class TestHistory(HistoryContract):
    pass
