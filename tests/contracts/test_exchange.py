"""Every storage adapter keeps rates and quotes.

That quotes are locked, and in which order, does not show here: the unique key of payments alone would see to it that
a quote is used once. tests/adapters/sql/test_statements.py pins the locks.
"""

import pytest

from gateway.application.ports.rates import Rates
from gateway.application.ports.storage import Storage
from gateway.contracts.quotes import QuotesContract
from gateway.contracts.rates import RatesContract


@pytest.fixture
def rates(storage: Storage) -> Rates:
    """Those of an empty storage of each kind."""
    return storage.rates


class TestRates(RatesContract):
    pass


class TestQuotes(QuotesContract):
    pass
