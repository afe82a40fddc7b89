"""Every storage adapter keeps rates and quotes.

What was broken by hand in the SQL adapter, and the test that failed:

- `FOR UPDATE` taken out of LOCK_QUOTES: test_units_of_work_on_the_same_quote_take_turns
- `ORDER BY` taken out of it: test_locking_quotes_in_opposite_orders_never_deadlocks
"""

from gateway.contracts.quotes import QuotesContract
from gateway.contracts.rates import RatesContract


class TestRates(RatesContract):
    pass


class TestQuotes(QuotesContract):
    pass
