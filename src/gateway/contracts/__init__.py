"""The contract suite of every port, for authors of adapters.

Each contract is a class of tests. Subclass it in a test module, and give the fixtures that its docstring names; storage
adapters need one fixture, `storage`, which returns an empty `Storage`. Needs `pip install gateway[contracts]` and
pytest-asyncio's `asyncio_mode = "auto"`. `examples/prove_your_own_adapter.py` shows all of it.
"""

import pytest

# So that an assertion that fails shows its values, as in any test module.
pytest.register_assert_rewrite(
    *(
        f"{__name__}.{module}"
        for module in (
            "audit",
            "audit_log",
            "disabled_users",
            "event_cursors",
            "event_search",
            "events",
            "history",
            "hostile_input",
            "housekeeping",
            "identifiers",
            "life_of_a_payment",
            "login_failures",
            "passwords",
            "quotes",
            "rate_budgets",
            "rates",
            "reader",
            "records",
            "sessions",
            "tokens",
            "unit_of_work",
            "users",
        )
    )
)
