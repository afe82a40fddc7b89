"""What tests of webhooks ask of a running sandbox."""

from itertools import count
from typing import Any

import httpx

from support.load import PASSWORD, log_in

Json = dict[str, Any]
_numbers = count(1)


def registration(role: str) -> Json:
    """The body of a registration that nobody else has sent."""
    return {"email": f"{role}-{next(_numbers)}@example.com", "password": PASSWORD, "role": role}


async def a_customer(http: httpx.AsyncClient) -> dict[str, str]:
    """The headers of a new customer with money."""
    user = (await http.post("/users/register", json=registration("customer"))).json()
    headers = await log_in(http, user["email"])
    deposit = {"account_id": user["accounts"][0]["id"], "amount": 1_000_000, "currency": "USD"}
    await done(http, headers, "/deposits", deposit)
    return headers


async def pay(http: httpx.AsyncClient, customer: dict[str, str], merchant_id: str, **more: Any) -> Json:
    """A payment of 10.50 USD."""
    body = {"merchant_id": merchant_id, "amount": 1_050, "currency": "USD", **more}
    return await done(http, customer, "/payments", body)


async def done(http: httpx.AsyncClient, headers: dict[str, str], path: str, body: Json) -> Json:
    """The answer to a POST with a key of its own, which must succeed."""
    answer = await http.post(path, headers=headers | {"Idempotency-Key": f"call-{next(_numbers)}"}, json=body)
    assert answer.is_success, answer.text
    content: Json = answer.json()
    return content


async def endpoints_of(http: httpx.AsyncClient, owner: dict[str, str]) -> list[Json]:
    """The webhook endpoints of an owner."""
    answer = await http.get("/webhook-endpoints", headers=owner)
    assert answer.status_code == 200, answer.text
    endpoints: list[Json] = answer.json()["data"]
    return endpoints
