"""CORS: off by default; scripts of allowed origins may send every request and read every response."""

from collections.abc import AsyncIterator

import pytest

from support.api_client import Person, World, created, fresh_key, open_world
from support.asgi import RawAnswer, ask

SHOP = "https://shop.example"
OTHERS = ["https://elsewhere.example", "http://shop.example", "https://shop.example.evil.example", "null", ""]
PATHS = [
    ("GET", "/payments", 200),
    ("GET", "/payments/pay_1", 404),
    ("GET", "/payments?sort=asc", 400),
    ("GET", "/nowhere", 404),
    ("DELETE", "/payments", 405),
    ("OPTIONS", "/payments", 204),
    ("GET", "/docs", 200),
    ("GET", "/health/live", 200),
    ("HEAD", "/openapi.json", 200),
]


@pytest.fixture
async def open_to_shop() -> AsyncIterator[World]:
    async with open_world(cors_allowed_origins=[SHOP, "http://localhost:3000"]) as world:
        yield world


@pytest.fixture
async def open_to_all() -> AsyncIterator[World]:
    async with open_world(cors_allowed_origins=["*"]) as world:
        yield world


async def preflight(world: World, path: str, origin: str) -> RawAnswer:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,idempotency-key",
    }
    return await ask(
        world.app, "OPTIONS", path, headers=[(name.encode(), value.encode()) for name, value in headers.items()]
    )


def words(value: bytes) -> set[str]:
    return {word.strip().lower() for word in value.decode().split(",")}


@pytest.mark.parametrize("path", ["/payments", "/payments/pay_1/capture", "/nowhere", "/docs"])
async def test_a_preflight_says_what_may_be_asked_on_every_path(open_to_shop: World, path: str) -> None:
    for origin in (SHOP, "http://localhost:3000"):
        answer = await preflight(open_to_shop, path, origin)
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers[b"access-control-allow-origin"] == origin.encode()
        assert answer.headers[b"vary"] == b"Origin"
        assert words(answer.headers[b"access-control-allow-methods"]) >= {"get", "post", "put", "patch", "delete"}
        taken = words(answer.headers[b"access-control-allow-headers"])
        assert taken >= {"authorization", "content-type", "idempotency-key", "request-id"}
        assert int(answer.headers[b"access-control-max-age"]) > 0
        assert len(answer.headers[b"request-id"]) >= 8


@pytest.mark.parametrize("origin", OTHERS)
async def test_other_origins_are_told_nothing(open_to_shop: World, origin: str) -> None:
    answers = [await preflight(open_to_shop, "/payments", origin)]
    for method, path, _ in PATHS:
        answers.append(await ask(open_to_shop.app, method, path, headers=[(b"origin", origin.encode())]))
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith(b"access-control")]
        assert answer.headers[b"vary"] == b"Origin"


@pytest.mark.parametrize(("method", "path", "status"), PATHS)
async def test_every_answer_may_be_read_by_scripts_of_an_allowed_origin(
    open_to_shop: World, method: str, path: str, status: int
) -> None:
    customer = await open_to_shop.customer()
    answer = await customer.api.send(method, path, headers={"origin": SHOP})
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert words(answer.headers["vary"].encode()) - {"accept-encoding"} == {"origin"}
    exposed = words(answer.headers["access-control-expose-headers"].encode())
    assert exposed >= {"request-id", "idempotency-replayed", "retry-after"}
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_payment_from_a_browser_is_paid_and_its_replay_can_be_told(open_to_shop: World) -> None:
    customer, merchant = await open_to_shop.customer(balance=100), await open_to_shop.merchant()
    body, key = {"merchant_id": merchant.id, "amount": 10, "currency": "USD"}, fresh_key()
    for replayed in (None, "true"):
        answer = await customer.api.send("POST", "/payments", body, key=key, headers={"origin": SHOP})
        created(answer)
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert answer.headers.get("idempotency-replayed") == replayed


async def test_all_origins_may_be_allowed(open_to_all: World) -> None:
    for origin in (SHOP, *OTHERS[:-1]):
        answer = await preflight(open_to_all, "/payments", origin)
        assert answer.headers[b"access-control-allow-origin"] == b"*"
        assert b"vary" not in answer.headers
        refused = await ask(open_to_all.app, "GET", "/payments", headers=[(b"origin", origin.encode())])
        assert (refused.status, refused.headers[b"access-control-allow-origin"]) == (401, b"*")


async def test_what_comes_without_an_origin_is_answered_as_ever(open_to_shop: World) -> None:
    answer = await ask(open_to_shop.app, "OPTIONS", "/payments")
    assert (answer.status, answer.headers[b"allow"]) == (204, b"GET, HEAD, OPTIONS, POST")
    assert not [name for name in answer.headers if name.startswith(b"access-control")]
    assert (await ask(open_to_shop.app, "GET", "/payments", kind="websocket")).messages == [{"type": "websocket.close"}]


async def test_without_the_setting_nothing_is_shared_and_a_preflight_is_an_ordinary_question(
    quiet_world: World, quiet_customer: Person
) -> None:
    answer = await preflight(quiet_world, "/payments", SHOP)
    assert (answer.status, answer.headers[b"allow"]) == (204, b"GET, HEAD, OPTIONS, POST")
    shown = await quiet_customer.api.send("GET", "/payments", headers={"origin": SHOP})
    for headers in ([name.decode() for name in answer.headers], shown.headers):
        assert not [name for name in headers if name.startswith("access-control") or name == "vary"]
