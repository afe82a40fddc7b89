"""The contract suite of every port, for authors of adapters.

Each contract is a class of tests. Subclass it in a test module, and give the fixtures that its docstring names. A
storage has one class, `gateway.contracts.storage.StorageContract`, and needs one fixture, `open_storage`. Needs
`pip install gateway[contracts]` and pytest-asyncio's `asyncio_mode = "auto"`. `examples/prove_your_own_adapter.py`
shows all of it.
"""

from typing import Final

import pytest

REWRITTEN: Final = (
    "api_keys",
    "customers",
    "audit",
    "audit_log",
    "cancellation",
    "deliveries",
    "disabled_users",
    "durability",
    "event_cursors",
    "event_search",
    "events",
    "history",
    "hostile_input",
    "housekeeping",
    "identifiers",
    "life_of_a_payment",
    "login_failures",
    "outages",
    "members",
    "passwords",
    "quotes",
    "rate_budgets",
    "rates",
    "reader",
    "records",
    "second_factors",
    "sessions",
    "storage",
    "tokens",
    "unit_of_work",
    "users",
    "webhook_endpoints",
    "wrong_clocks",
)

# So that an assertion that fails shows its values, as in any test module.
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in REWRITTEN))
