"""The table of what rules of risk count."""

from typing import Final

from gateway.adapters.sql.tables.base import integers, key, table, text

# A row is written with a payment of the customer, if there are rules that count payments, and replaced by the next one.
payment_counters: Final = table(
    "payment_counters",
    # The customer's.
    key("id"),
    *integers("version"),
    # JSON.
    text("windows"),
    # As accounts: a page has room for the next version of a row.
    postgresql_with={"fillfactor": 70},
)
