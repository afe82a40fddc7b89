"""A shop with many customers who never sign in: its key does all of it, and another merchant's key learns nothing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

from gateway import ApiKeys, CreateCustomer, MakeDeposit, UserId
from gateway.application.verification.verify import verify
from gateway.contracts.records import USD
from gateway.domain.scope import SCOPES_OF_ROLE
from gateway.domain.user import Role
from support.api_client import Api, Json, Person, World, created, fresh_key, ok, open_world
from support.builders import usd

MANY: Final = 1_000
FEW: Final = 20
PAGE: Final = 100
DIFFERS: Final = {"instance", "request_id", "idempotency_key"}


async def key_of(keys: ApiKeys, merchant: Person) -> Api:
    """The merchant's key, with every scope that a merchant's key may have."""
    new = await keys.create(owner_id=UserId(merchant.id), name="Shop", scopes=sorted(SCOPES_OF_ROLE[Role.MERCHANT]))
    return merchant.api.with_token(new.text)


@dataclass(frozen=True)
class Shop:
    """A merchant's key, that of another one, and what belongs to the first."""

    world: World
    merchant: Person
    key: Api
    stranger: Api
    customers: list[Json]


@pytest.fixture(scope="module")
async def shop() -> AsyncIterator[Shop]:
    async with open_world() as world:
        merchant, stranger = await world.merchant(), await world.merchant()
        keys = world.gateway.api_keys
        key = await key_of(keys, merchant)
        create = CreateCustomer(merchant_id=UserId(merchant.id), currency=USD)
        await asyncio.gather(
            *(
                world.gateway.execute(
                    replace(create, external_id=f"customer-{number}", email="same@example.com"),
                    owner_id=create.merchant_id,
                )
                for number in range(MANY - FEW)
            )
        )
        few = [
            created(await key.post("/customers", {"external_id": f"few-{number}", "email": "few@example.com"}))
            for number in range(FEW)
        ]
        yield Shop(world, merchant, key, await key_of(keys, stranger), few)


async def all_pages(api: Api, path: str, **where: str) -> list[Json]:
    found: list[Json] = []
    page: Json = {"next_cursor": None, "has_more": True}
    while page["has_more"]:
        cursor = {} if page["next_cursor"] is None else {"cursor": page["next_cursor"]}
        page = ok(await api.get(path, limit=PAGE, **where, **cursor))
        found += page["data"]
    return found


async def test_a_key_pages_through_a_thousand_customers_and_finds_each_by_its_external_id(shop: Shop) -> None:
    everybody = await all_pages(shop.key, "/customers")
    assert len(everybody) == MANY
    assert len({each["id"] for each in everybody} | {each["external_id"] for each in everybody}) == 2 * MANY
    assert [each["id"] for each in everybody] == sorted((each["id"] for each in everybody), reverse=True)
    for number in (0, 7, MANY - FEW - 1):
        [found] = ok(await shop.key.get("/customers", external_id=f"customer-{number}"))["data"]
        assert found in everybody
    assert len(await all_pages(shop.key, "/customers", email="few@example.com")) == FEW


async def test_an_operator_funds_them_and_the_key_pays_holds_captures_and_refunds(shop: Shop) -> None:
    gateway, merchant_id = shop.world.gateway, shop.merchant.id
    everybody = await all_pages(shop.key, "/customers")
    funded = everybody[FEW : 11 * FEW]
    accounts = [each["accounts"][0]["id"] for each in funded]
    await asyncio.gather(
        *(gateway.execute(MakeDeposit(account_id=each, amount=usd(1_000), owner_id=None)) for each in accounts)
    )
    items = [
        {"idempotency_key": fresh_key(), "customer_id": each["id"], "amount": 600, "currency": "USD"} for each in funded
    ]
    batch = created(await shop.key.post("/payments/batch", {"mode": "atomic", "items": items}, key=fresh_key()))
    paid = [result["body"] for result in batch["results"]]
    assert {each["status"] for each in paid} == {"captured"}
    holds = [
        created(await shop.key.post("/payments", {**hold_of(each["id"])}, key=fresh_key())) for each in funded[:FEW]
    ]
    for each in holds[: FEW // 2]:
        ok(await shop.key.post(f"/payments/{each['id']}/capture", key=fresh_key()))
    for each in holds[FEW // 2 :]:
        ok(await shop.key.post(f"/payments/{each['id']}/cancel", key=fresh_key()))
    for each in paid[:FEW]:
        created(await shop.key.post(f"/payments/{each['id']}/refunds", {"amount": 100}, key=fresh_key()))

    after = {each["id"]: each for each in await all_pages(shop.key, "/customers")}
    for index, each in enumerate(funded):
        left = 400 + 100 * (index < FEW) - 300 * (index < FEW // 2)
        assert after[each["id"]]["accounts"][0]["balance"]["available"] == left
    taken = 600 * len(funded) - 100 * FEW + 300 * (FEW // 2)
    [account] = ok(await shop.key.get("/accounts"))["data"]
    assert account["balance"]["available"] == taken
    payments = await all_pages(shop.key, "/payments")
    assert {each["merchant_id"] for each in payments} == {merchant_id}
    assert len(payments) == len(funded) + FEW
    async with gateway.storage.audit() as audit:
        assert (await verify(audit)).ok


def hold_of(customer_id: str) -> Json:
    return {"customer_id": customer_id, "amount": 300, "currency": "USD", "capture": "manual"}


async def test_another_merchants_key_learns_nothing(shop: Shop) -> None:
    ada = shop.customers[0]
    [account] = ada["accounts"]
    operator = await shop.world.operator()
    await operator.deposit(1_000, account_id=account["id"])
    hold = created(await shop.key.post("/payments", hold_of(ada["id"]), key=fresh_key()))
    paid = created(await shop.key.post("/payments", {**hold_of(ada["id"]), "capture": "automatic"}, key=fresh_key()))
    refund = created(await shop.key.post(f"/payments/{paid['id']}/refunds", {"amount": 1}, key=fresh_key()))
    ids = {
        "customer": (ada["id"], "usr_" + "0" * 26),
        "account": (account["id"], "acc_" + "0" * 26),
        "payment": (paid["id"], "pay_" + "0" * 26),
        "hold": (hold["id"], "pay_" + "0" * 26),
        "refund": (refund["id"], "ref_" + "0" * 26),
    }
    transactions = ok(await shop.key.get("/transactions", account_id=account["id"]))["data"]
    ids |= {f"transaction{index}": (each["id"], "txn_" + "0" * 26) for index, each in enumerate(transactions)}
    ids |= {
        f"{kind}_event": (ok(await shop.key.get("/events", type=f"{kind}.*", limit=1))["data"][0]["id"], "evt_x")
        for kind in ("customer", "account", "payment", "deposit", "refund")
    }

    asked = 0
    for method, path, body in questions():
        for theirs, nobodys in of_one_kind(ids, path + repr(body)):
            answers = [await ask(shop.stranger, method, path, body, each) for each in (theirs, nobodys)]
            assert answers[0] == answers[1], (method, path, body)
            asked += 1
    assert asked == len(questions())
    assert ok(await shop.stranger.get("/customers"))["data"] == []
    assert {event["type"] for event in ok(await shop.stranger.get("/events"))["data"]} <= {
        *("account.opened", "api_key.created"),
    }
    # What the other merchant notes itself is not compared with what this one has.
    ok(await shop.key.get(f"/customers/{ada['id']}"))
    created(await shop.stranger.post("/customers", {"external_id": ada["external_id"], "email": ada["email"]}))
    assert len(ok(await shop.stranger.get("/customers"))["data"]) == 1


def questions() -> list[tuple[str, str, Json | None]]:
    """Every place where an id may be given: `{kind}` stands for it."""
    payment = {"customer_id": "{customer}", "amount": 1, "currency": "USD"}
    item = {**payment, "idempotency_key": "{key}"}
    money = {"account_id": "{account}", "amount": 1, "currency": "USD"}
    return [
        ("GET", "/customers/{customer}", None),
        ("PATCH", "/customers/{customer}", {"name": "Ada"}),
        ("POST", "/payments", payment),
        ("POST", "/payments", {**payment, "currency": "EUR"}),
        ("POST", "/payments", {**payment, "capture": "manual"}),
        ("POST", "/payments/batch", {"mode": "independent", "items": [item]}),
        ("POST", "/payments/batch", {"mode": "atomic", "items": [item]}),
        ("POST", "/deposits", money),
        ("POST", "/payouts", money),
        ("GET", "/accounts/{account}", None),
        ("GET", "/accounts?owner_id={customer}", None),
        ("GET", "/payments?customer_id={customer}", None),
        ("GET", "/transactions?account_id={account}", None),
        *(("GET", f"/events?object_id={{{kind}}}", None) for kind in ("customer", "account", "payment", "hold")),
        *(("GET", path, None) for path in ("/payments/{payment}", "/payments/{payment}/refunds", "/refunds/{refund}")),
        *(("POST", f"/payments/{{hold}}/{action}", None) for action in ("capture", "cancel", "refunds")),
        ("GET", "/transactions?payment_id={payment}", None),
        *(("GET", f"/transactions/{{transaction{index}}}", None) for index in range(4)),
        *(
            ("GET", f"/events/{{{kind}_event}}", None)
            for kind in ("customer", "account", "payment", "deposit", "refund")
        ),
    ]


def of_one_kind(ids: dict[str, tuple[str, str]], question: str) -> list[tuple[dict[str, str], dict[str, str]]]:
    """The ids of the question as they are, and in their place those of nobody."""
    named = {kind: pair for kind, pair in ids.items() if f"{{{kind}}}" in question}
    if not named:
        return []
    return [({kind: pair[0] for kind, pair in named.items()}, {kind: pair[1] for kind, pair in named.items()})]


async def ask(api: Api, method: str, path: str, body: Any, ids: dict[str, str]) -> tuple[int, Any]:
    """The status and the body, without what differs each time."""

    def filled(text: str) -> str:
        for kind, each in {**ids, "key": fresh_key()}.items():
            text = text.replace(f"{{{kind}}}", each)
        return text

    path, _, query = filled(path).partition("?")
    params = dict([query.split("=")]) if query else None
    answer = await api.send(
        method, path, replaced(body, filled), key=fresh_key() if method == "POST" else None, params=params
    )
    return answer.status_code, without(answer.json())


def replaced(body: Any, filled: Any) -> Any:
    if isinstance(body, dict):
        return {name: replaced(value, filled) for name, value in body.items()}
    if isinstance(body, list):
        return [replaced(value, filled) for value in body]
    return filled(body) if isinstance(body, str) else body


def without(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {name: without(value) for name, value in answer.items() if name not in DIFFERS}
    return [without(value) for value in answer] if isinstance(answer, list) else answer
