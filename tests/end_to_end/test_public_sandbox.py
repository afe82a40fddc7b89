"""A sandbox that other machines reach says so, and its owners make no money."""

from pathlib import Path

import pytest

from gateway.entrypoints.serve import welcome
from gateway.settings.values import Settings
from support.load import sign_up
from support.servers import Installation

EVERYWHERE = "0.0.0.0"  # noqa: S104 - which is what is tested.


@pytest.mark.parametrize(
    ("settings", "may"),
    [
        (Settings(), True),
        (Settings(host="::1"), True),
        (Settings(host="127.8.0.1"), True),
        (Settings(host="localhost"), True),
        (Settings(host=EVERYWHERE), False),
        (Settings(host="::"), False),
        (Settings(host="10.0.0.7"), False),
        (Settings(host="localhost.example.com"), False),
        (Settings(host=EVERYWHERE, owner_deposits="true"), True),
        (Settings(owner_deposits="false"), False),
        (Settings(environment="production"), False),
        (Settings(environment="production", owner_deposits="true"), False),
    ],
)
def test_owners_make_deposits_in_a_sandbox_on_loopback_or_where_it_is_set(settings: Settings, *, may: bool) -> None:
    assert settings.owners_may_deposit is may


def test_a_newcomer_is_warned_of_strangers() -> None:
    assert "WARNING" not in welcome(Settings())
    assert "WARNING: other machines reach this sandbox. Only operators" in welcome(Settings(host=EVERYWHERE))
    assert "anybody there makes money" in welcome(Settings(host=EVERYWHERE, owner_deposits="true"))


def test_a_newcomer_is_led_to_the_docs_if_they_are_served() -> None:
    assert "http://127.0.0.1:8000/docs\n\nA first request" in welcome(Settings())
    assert "/docs" not in welcome(Settings(docs="false"))


async def test_a_sandbox_that_others_reach_says_so_and_lets_no_owner_make_money(tmp_path: Path) -> None:
    gateway = Installation(tmp_path, "memory://")
    async with gateway.serving(GATEWAY_HOST=EVERYWHERE) as server, server.client() as http:
        customer = await sign_up(http, "customer")
        deposit = {"account_id": customer.account_id, "amount": 500, "currency": "USD"}
        headers = customer.headers | {"Idempotency-Key": "deposit"}
        answer = await http.post("/deposits", headers=headers, json=deposit)

        assert (answer.status_code, answer.json()["code"]) == (403, "role_forbidden")
        assert (await http.get("/health/live")).json()["environment"] == "sandbox"
        assert await customer.available(http) == 0
        warnings = [line for line in server.log().splitlines() if "sandbox_on_public_address" in line]
        assert len(warnings) == 1
        assert "set GATEWAY_ENVIRONMENT=production" in warnings[0]
        assert '"owners_may_deposit": false' in warnings[0]
