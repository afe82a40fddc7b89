"""Conventions of all paths: Request-Id, methods, media types, limits, and headers of responses."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar import get

from gateway.adapters.http import HttpLimits
from support.api_client import Person, World, created, fresh_key, ok, open_world, refused
from support.asgi import ask

BODY = b'{"currency":"EUR"}'


@pytest.mark.parametrize("request_id", ["request1", "A" * 64, "a-b_c-d_8"])
async def test_a_clients_own_request_id_is_kept(quiet_world: World, request_id: str) -> None:
    for path in ("/health/live", "/nowhere", "/users/me", "/docs", "/openapi.json"):
        answer = await quiet_world.anyone.send("GET", path, headers={"request-id": request_id})
        assert answer.headers["request-id"] == request_id
        if answer.status_code >= 400:
            assert answer.json()["request_id"] == request_id


@pytest.mark.parametrize("request_id", ["short77", "A" * 65, "eight ok", "häusliche", "1234567\n", ""])
async def test_any_other_request_id_is_replaced(quiet_world: World, request_id: str) -> None:
    answer = await ask(quiet_world.app, "GET", "/health/live", headers=[(b"request-id", request_id.encode())])
    assert re.fullmatch(r"req_[0-9a-f]{24}", answer.headers[b"request-id"].decode())


async def test_every_answer_has_a_request_id_of_its_own(world: World) -> None:
    answers = [await world.anyone.get("/health/live") for _ in range(3)]
    assert len({answer.headers["request-id"] for answer in answers}) == 3


async def test_litestar_serves_what_is_registered_beside_the_operations(world: World, customer: Person) -> None:
    @get("/beside", sync_to_thread=False)
    def beside() -> str:
        return "here"

    world.app.register(beside)
    assert (await ask(world.app, "GET", "/beside")).body == b"here"
    assert (await customer.api.get("/payments")).json()["data"] == []
    assert (await ask(world.app, "GET", "/nowhere")).status == 404


@pytest.mark.parametrize("is_alone", [True, False])
async def test_only_what_a_path_alone_does_not_tell_is_looked_for_by_litestar_and_only_beside_other_routes(
    world: World, customer: Person, monkeypatch: pytest.MonkeyPatch, *, is_alone: bool
) -> None:
    @get("/beside", sync_to_thread=False)
    def beside() -> str:
        return "here"

    if not is_alone:
        world.app.register(beside)
    router = type(world.app.asgi_router)
    routed, looked_for = router.__call__, list[str]()

    async def noted(self: Any, scope: Any, receive: Any, send: Any) -> None:
        looked_for.append(scope["path"])
        await routed(self, scope, receive, send)

    monkeypatch.setattr(router, "__call__", noted)
    for path in ("/payments", "/users/me", f"/accounts/{customer.account_id}", "/nowhere"):
        await customer.api.get(path)
    assert looked_for == ([] if is_alone else [f"/accounts/{customer.account_id}", "/nowhere"])


@pytest.mark.parametrize("host", [b"two words", b"a/b", b"", b"gateway_1:8000", b"\xff"])
async def test_whatever_the_host_is_called_every_path_answers_alike(quiet_world: World, host: bytes) -> None:
    for path, status in (("/payments", 401), ("/payments/pay_1", 401), ("/nowhere", 404), ("/health/live", 200)):
        answer = await ask(quiet_world.app, "GET", path, headers=[(b"host", host)])
        assert answer.status == status
        assert answer.headers[b"request-id"]


async def test_a_trailing_slash_is_the_same_path(customer: Person) -> None:
    for path in ("/accounts", f"/accounts/{customer.account_id}", "/users/me", "/payments", "/health/live"):
        assert (await customer.api.get(path)).json() == (await customer.api.get(path + "/")).json()


async def test_head_answers_as_get_does_without_the_body(world: World, customer: Person) -> None:
    authorization = (b"authorization", f"Bearer {customer.api.token}".encode())
    for path, status in ((f"/accounts/{customer.account_id}", 200), ("/payments/pay_none", 404), ("/docs", 200)):
        shown, head = [await ask(world.app, method, path, headers=[authorization]) for method in ("GET", "HEAD")]
        assert shown.status == head.status == status
        assert (len(shown.body) > 0, head.body) == (True, b"")
        # The id of the request, which is in a refusal and in no other answer, has the same length each time.
        for name in (b"content-length", b"content-type"):
            assert head.headers[name] == shown.headers[name]
        assert (await customer.api.send("HEAD", path)).status_code == status


async def test_a_method_that_a_path_does_not_take_is_refused_with_those_it_does(customer: Person) -> None:
    for method, path, allowed in (
        ("DELETE", "/payments", "GET, HEAD, OPTIONS, POST"),
        ("PATCH", f"/accounts/{customer.account_id}", "GET, HEAD, OPTIONS"),
        ("GET", "/users/login", "OPTIONS, POST"),
        ("POST", "/docs", "GET, HEAD, OPTIONS"),
        ("BREW", "/health/live", "GET, HEAD, OPTIONS"),
    ):
        answer = await customer.api.send(method, path)
        assert refused(answer, 405, "method_not_allowed")["allowed_methods"] == allowed.split(", ")
        assert answer.headers["allow"] == allowed
        options = await customer.api.send("OPTIONS", path)
        assert (options.status_code, options.headers["allow"]) == (204, allowed)


@pytest.mark.parametrize(
    "path",
    ["/doc", "/nowhere", "/payments/a/b", "/payments/a/refund", "/v2/payments", "/docs/static/nope.css", "/docs/x"],
)
async def test_a_path_with_nothing_at_it_is_not_found(quiet_world: World, quiet_customer: Person, path: str) -> None:
    for api in (quiet_world.anyone, quiet_customer.api):
        problem = refused(await api.get(path), 404, "not_found")
        assert problem["instance"] == path


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"'],
)
async def test_json_in_utf_8_is_taken_however_it_is_declared(customer: Person, content_type: str) -> None:
    created(await customer.api.send("POST", "/accounts", content=BODY, headers={"content-type": content_type}))


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/json",
        "application/jsonp",
        "application/problem+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "*/*",
    ],
)
async def test_a_body_of_another_media_type_is_refused(quiet_customer: Person, content_type: str) -> None:
    answer = await quiet_customer.api.send("POST", "/accounts", content=BODY, headers={"content-type": content_type})
    refused(answer, 415, "unsupported_media_type")


async def test_a_body_without_a_media_type_is_refused(world: World, customer: Person) -> None:
    authorization = (b"authorization", f"Bearer {customer.api.token}".encode())
    answer = await ask(world.app, "POST", "/accounts", headers=[authorization], chunks=[BODY])
    assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")


async def test_a_body_of_64_kibibytes_is_taken_and_no_larger_one(customer: Person) -> None:
    fits = BODY + b" " * (64 * 1024 - len(BODY))
    created(await customer.api.send("POST", "/accounts", content=fits))
    problem = refused(await customer.api.send("POST", "/accounts", content=fits + b" "), 413, "body_too_large")
    assert problem["body_bytes_max"] == 65_536


async def test_headers_of_more_than_16_kibibytes_are_refused(customer: Person) -> None:
    """Names, values and repeated headers count."""
    name = "x" * 17_000
    for headers in ([("x-long", name)], [(name, "")], [("x-long", "x" * 100)] * 170):
        answer = await customer.api.http.get("/accounts", headers=headers)
        refused(answer, 431, "headers_too_large")


async def test_a_body_that_comes_in_pieces_is_put_together_and_counted(customer: Person) -> None:
    async def pieces(number: int) -> AsyncIterator[bytes]:
        for byte in BODY:
            yield bytes([byte])
        for _ in range(number):
            yield b" " * 1024

    created(await customer.api.send("POST", "/accounts", content=pieces(10)))
    refused(await customer.api.send("POST", "/accounts", content=pieces(64)), 413, "body_too_large")


async def test_a_body_that_claims_to_be_too_large_is_not_even_read(world: World, customer: Person) -> None:
    for length in (b"65537", b"9" * 5000):
        answer = await ask(
            world.app,
            "POST",
            "/accounts",
            headers=[
                (b"authorization", f"Bearer {customer.api.token}".encode()),
                (b"content-type", b"application/json"),
                (b"content-length", length),
            ],
            hangs_after_chunks=True,
        )
        assert (answer.status, answer.json["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("chunks", [[], [b'{"currency"']])
async def test_a_body_that_does_not_arrive_in_time_is_given_up(chunks: list[bytes]) -> None:
    async with open_world(limits=HttpLimits(body_seconds_max=0.05)) as world:
        answer = await ask(
            world.app,
            "POST",
            "/users/refresh",
            headers=[(b"content-type", b"application/json")],
            chunks=chunks,
            hangs_after_chunks=True,
        )
    assert (answer.status, answer.json["code"], answer.json["retryable"]) == (408, "request_timeout", True)


async def test_a_client_that_goes_away_is_answered_nothing_and_nothing_is_done(
    world: World, customer: Person, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await ask(
        world.app,
        "POST",
        "/accounts",
        headers=[
            (b"authorization", f"Bearer {customer.api.token}".encode()),
            (b"content-type", b"application/json"),
        ],
        chunks=[b'{"currency"'],
        disconnects_after_chunks=True,
    )
    assert answer.is_empty
    assert len(ok(await customer.api.get("/accounts"))["data"]) == 1
    assert not caplog.records


async def test_a_payment_goes_through_when_its_client_goes_away_meanwhile(customer: Person, merchant: Person) -> None:
    body = {"merchant_id": merchant.id, "amount": 10, "currency": "USD"}
    key = fresh_key()
    request = asyncio.create_task(customer.api.post("/payments", body, key=key))
    await asyncio.sleep(0)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    created(await customer.api.post("/payments", body, key=key))
    assert await merchant.available() == 10


async def test_answers_are_never_cached_nor_sniffed(world: World, customer: Person) -> None:
    for answer in (await customer.api.get("/users/me"), await world.anyone.get("/users/me")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_nothing_is_shared_with_the_scripts_of_other_sites(customer: Person) -> None:
    for method in ("GET", "OPTIONS"):
        answer = await customer.api.send(method, "/accounts", headers={"origin": "https://elsewhere.example"})
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_web_socket_is_turned_away(world: World) -> None:
    answer = await ask(world.app, "GET", "/payments", kind="websocket")
    assert answer.messages == [{"type": "websocket.close"}]
