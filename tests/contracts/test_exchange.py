"""Every storage adapter keeps rates and quotes.

What was broken by hand in the SQL adapter: `FOR UPDATE` taken out of LOCK_QUOTES. Then
test_units_of_work_on_the_same_quote_take_turns failed. The order in which quotes are locked does not show here;
tests/adapters/test_sql_statements.py pins it.
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
