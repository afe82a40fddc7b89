"""The example of a shop in FastAPI, on each storage: examples/fastapi_shop.py."""

import asyncio
import runpy
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import TRUSTED, Gateway, PaymentFilter, in_memory_gateway, open_gateway

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi_shop.py"
Opener = Callable[[], AbstractAsyncContextManager[Gateway]]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def opener(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Opens the gateway of the shop, as its tests do and as its `app` does."""
    monkeypatch.chdir(tmp_path)  # The key of tokens of the REST API is in a folder there.
    match request.param:
        case "memory":
            return in_memory_gateway
        case "sqlite":
            return partial(open_gateway, tmp_path / "shop.db", worker=True)
        case _:
            return partial(open_gateway, request.getfixturevalue("postgres_url"), worker=True)


async def test_users_of_the_shop_pay_once_for_each_order(opener: Opener) -> None:
    shop: Any = runpy.run_path(str(EXAMPLE))["shop"](opener)
    transport = httpx.ASGITransport(shop)
    async with (
        shop.router.lifespan_context(shop),
        httpx.AsyncClient(transport=transport, base_url="http://shop") as client,
    ):
        ada, bob = {"X-User": "ada"}, {"X-User": "bob"}
        for _ in range(2):  # The receipt counts once.
            credited = await client.post("/credits", json={"receipt": "r1", "amount_minor": 5_000}, headers=ada)
            assert credited.json() == {"available_minor": 5_000}

        order = {"number": "17", "amount_minor": 1_999}
        responses = await asyncio.gather(*(client.post("/orders", json=order, headers=ada) for _ in range(5)))
        shown = {"order": "17", "amount": "19.99 EUR", "status": "captured"}
        assert [response.json() for response in responses] == [shown] * 5
        reused = await client.post("/orders", json=order | {"amount_minor": 1}, headers=ada)
        assert (reused.status_code, reused.json()["code"]) == (409, "idempotency_key_reused")
        refused = await client.post("/orders", json=order, headers=bob)
        assert (refused.status_code, refused.json()["code"]) == (402, "insufficient_funds")

        nothing = await client.post("/orders", json=order | {"number": "18", "amount_minor": 0}, headers=ada)
        detail = "amount_minor: This must be 1 to 999999999999."
        assert (nothing.status_code, nothing.json()) == (400, {"code": "validation_error", "detail": detail})

        assert (await client.get("/orders", headers=ada)).json() == [shown]
        assert (await client.get("/orders", headers=bob)).json() == [shown | {"status": "failed"}]
        assert (await client.get("/gateway/health/ready")).status_code == 200
        assert (await client.get("/gateway/accounts")).json()["code"] == "token_missing"

        gateway: Gateway = shop.state.gateway
        [merchant] = await gateway.queries.accounts_of(
            (await gateway.accounts.open_merchant("bookshop", "EUR")).owner_id
        )
        assert merchant.available == 1_999 - 55  # Less 1.5 % and 25 cents.
        assert len((await gateway.queries.payments(TRUSTED, PaymentFilter())).items) == 2
