"""Rates: set by operators or from a file, with all refusals and codes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.adapters.rates_file import FileRates
from gateway.application.gateway import Gateway
from gateway.application.quotes import QuoteLimits
from support.api_client import Json, created, ok, open_world, refused
from support.bureau import Bureau, a_wish, set_rate


async def test_an_operator_sets_rates_and_everybody_sees_them(bureau: Bureau) -> None:
    rate = await set_rate(bureau.operator, "USD/JPY", "149.500")
    assert rate == {
        "object": "rate",
        "from_currency": "USD",
        "to_currency": "JPY",
        "rate": "149.5",
        "spread_basis_points": 0,
        "updated_at": rate["updated_at"],
    }
    for person in (bureau.customer, bureau.merchant, bureau.operator):
        shown = ok(await person.api.get("/rates"))
        assert [(each["from_currency"], each["to_currency"]) for each in shown["data"]] == [
            ("EUR", "USD"),
            ("USD", "JPY"),
        ]
        assert (shown["object"], shown["has_more"], shown["next_cursor"]) == ("list", False, None)
        assert shown["data"][1] == rate
    refused(await bureau.world.anyone.get("/rates"), 401, "token_missing")


async def test_a_rate_is_for_operators_to_set(bureau: Bureau) -> None:
    for person in (bureau.customer, bureau.merchant):
        refused(await person.api.send("PUT", "/rates/EUR/USD", {"rate": "1"}), 403, "role_forbidden")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"rate": 1.0842}, "/rate"),
        ({"rate": 1}, "/rate"),
        ({"rate": "0"}, "/rate"),
        ({"rate": "-1"}, "/rate"),
        ({"rate": "1e3"}, "/rate"),
        ({"rate": "1.0000000000001"}, "/rate"),
        ({"rate": "0.0000000001"}, "/rate"),
        ({"rate": "1000000001"}, "/rate"),
        ({"spread_basis_points": 1}, "/rate"),
        ({"rate": "1", "spread_basis_points": -1}, "/spread_basis_points"),
        ({"rate": "1", "spread_basis_points": 10_001}, "/spread_basis_points"),
        ({"rate": "1", "spread_basis_points": 0.5}, "/spread_basis_points"),
        ({"rate": "1", "spread": 1}, "/spread"),
    ],
)
async def test_what_is_no_rate_is_refused(bureau: Bureau, body: Json, pointer: str) -> None:
    problem = refused(await bureau.operator.api.send("PUT", "/rates/EUR/USD", body), 400, "validation_error")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("pair", "status", "code"),
    [
        ("EUR/EUR", 422, "same_currency"),
        ("EUR/XXX", 422, "unknown_currency"),
        ("eur/usd", 422, "unknown_currency"),
        ("EUR/USD/JPY", 404, "not_found"),
        ("EUR", 404, "not_found"),
        ("EUR/%00", 404, "not_found"),
    ],
)
async def test_a_rate_is_of_two_currencies(bureau: Bureau, pair: str, status: int, code: str) -> None:
    refused(await bureau.operator.api.send("PUT", f"/rates/{pair}", {"rate": "1"}), status, code)


async def test_a_rate_that_jumps_needs_confirming() -> None:
    def careful(gateway: Gateway) -> Gateway:
        return replace(gateway, quotes=replace(gateway.quotes, limits=QuoteLimits(rate_change_percent_max=20)))

    async with open_world(changed=careful) as world:
        operator = await world.operator()
        await set_rate(operator, "EUR/USD", "1.0842")
        problem = refused(
            await operator.api.send("PUT", "/rates/EUR/USD", {"rate": "108.42"}), 409, "rate_change_too_large"
        )
        assert (problem["current_rate"], problem["retryable"]) == ("1.0842", False)
        confirmed = {"rate": "108.42", "confirm": True}
        assert ok(await operator.api.send("PUT", "/rates/EUR/USD", confirmed))["rate"] == "108.42"


async def test_rates_from_a_file_are_quoted_and_not_set(tmp_path: Path) -> None:
    file = tmp_path / "rates.json"
    file.write_text(json.dumps([{"from_currency": "EUR", "to_currency": "USD", "rate": "1.5"}]))

    def with_file(gateway: Gateway) -> Gateway:
        return replace(gateway, quotes=replace(gateway.quotes, rates=FileRates(file)))

    async with open_world(changed=with_file) as world:
        customer, operator = await world.customer(currency="EUR"), await world.operator()
        [rate] = ok(await customer.api.get("/rates"))["data"]
        assert (rate["rate"], rate["spread_basis_points"]) == ("1.5", 0)
        assert created(await customer.api.post("/quotes", a_wish()))["source_amount"] == 700
        refused(await operator.api.send("PUT", "/rates/EUR/USD", {"rate": "1"}), 409, "rates_read_only")
