"""One history has the same consequences on every storage adapter."""

from gateway.contracts.history import HistoryContract


class TestHistory(HistoryContract):
    pass
