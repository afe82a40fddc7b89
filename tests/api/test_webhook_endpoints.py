"""Webhook endpoints over HTTP."""

import base64
import logging
from dataclasses import replace

import pytest

from gateway import EventType, UserId
from gateway.application.errors import Overloaded, RateLimited
from gateway.application.gateway import Gateway
from gateway.application.ports.webhook_sender import WebhookMessage, WebhookResponse
from gateway.domain.errors import Refusal, invalid
from support.api_client import Json, Person, World, body_of, created, fresh_key, ok, open_world, refused

PATH = "/webhook-endpoints"
BODY: Json = {"url": "https://shop.example/webhooks", "events": ["payment.*", "refund.succeeded"]}


class Refusing:
    """A sender that refuses every URL."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal

    async def check(self, url: str, *, owner_id: UserId) -> None:  # noqa: ARG002 - the port's signature.
        raise self.refusal

    async def send(self, message: WebhookMessage) -> WebhookResponse:
        raise NotImplementedError


def refusing(gateway: Gateway, refusal: Refusal | None = None) -> Gateway:
    sender = Refusing(refusal or invalid("url", "url_not_allowed", "This address is not allowed."))
    return replace(gateway, webhooks=replace(gateway.webhooks, sender=sender))


def with_secret(endpoint: Json) -> tuple[Json, str]:
    """An endpoint as it is shown later, and its secret, which must be one."""
    secret = endpoint.pop("secret")
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    return endpoint, secret


async def test_an_endpoint_is_created_shown_listed_changed_and_deleted(merchant: Person, world: World) -> None:
    made, _ = with_secret(created(await merchant.api.post(PATH, {**BODY, "description": "orders"})))
    assert made == {
        "id": made["id"],
        "object": "webhook_endpoint",
        **BODY,
        "description": "orders",
        "enabled": True,
        "disabled_reason": None,
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    path = f"{PATH}/{made['id']}"
    assert ok(await merchant.api.get(path)) == made
    assert ok(await merchant.api.get(PATH))["data"] == [made]
    world.clock.advance(1)
    changed = ok(await merchant.api.send("PATCH", path, {"events": ["*"], "description": "", "enabled": False}))
    expected = {**made, "events": ["*"], "description": None, "enabled": False, "disabled_reason": "by_owner"}
    assert changed == {**expected, "updated_at": changed["updated_at"]}
    assert changed["updated_at"] > made["updated_at"]
    assert ok(await merchant.api.get(path)) == changed
    deleted = await merchant.api.send("DELETE", path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    refused(await merchant.api.get(path), 404, "webhook_endpoint_not_found")
    refused(await merchant.api.send("DELETE", path), 404, "webhook_endpoint_not_found")
    assert ok(await merchant.api.get(PATH))["data"] == []


async def test_a_change_keeps_what_is_left_out_or_null(merchant: Person) -> None:
    made, _ = with_secret(created(await merchant.api.post(PATH, {**BODY, "description": "orders"})))
    path = f"{PATH}/{made['id']}"
    for body in (None, {}, {"url": None, "events": None, "description": None, "enabled": None}):
        assert ok(await merchant.api.send("PATCH", path, body)) == made
    changed = ok(await merchant.api.send("PATCH", path, {"url": "https://other.example/"}))
    assert changed == {**made, "url": "https://other.example/"}


async def test_a_secret_is_shown_when_it_is_made_and_never_again(merchant: Person, world: World) -> None:
    made, first = with_secret(created(await merchant.api.post(PATH, BODY)))
    path = f"{PATH}/{made['id']}"
    rotated, second = with_secret(ok(await merchant.api.post(f"{path}/rotate-secret")))
    assert rotated == made
    assert first != second
    await merchant.api.post(f"{path}/test")
    answers = [
        await merchant.api.get(path),
        await merchant.api.get(PATH),
        await merchant.api.send("PATCH", path, {"enabled": False}),
    ]
    assert all("whsec_" not in answer.text for answer in answers)
    assert all(b"whsec_" not in event.data for event in await world.gateway.events.read())
    stored = await world.gateway.storage.webhook_endpoints.endpoint(made["id"])
    assert stored is not None
    assert stored.signing_secrets(world.clock()) == (second, first)


async def test_the_same_key_gives_the_same_endpoint_and_the_same_secret(merchant: Person) -> None:
    key = fresh_key()
    first, again = [await merchant.api.post(PATH, BODY, key=key) for _ in range(2)]
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    refused(await merchant.api.post(PATH, {**BODY, "enabled": False}, key=key), 422, "idempotency_key_reused")
    path = f"{PATH}/{created(first)['id']}"
    for action, status in (("rotate-secret", 200), ("test", 202)):
        key = fresh_key()
        first, again = [await merchant.api.post(f"{path}/{action}", key=key) for _ in range(2)]
        assert (first.status_code, again.status_code, again.content) == (status, status, first.content)
        assert again.headers["idempotency-replayed"] == "true"


async def test_a_key_is_answered_again_also_when_its_url_is_no_longer_allowed(merchant: Person, world: World) -> None:
    key = fresh_key()
    first = await merchant.api.post(PATH, BODY, key=key)
    async with open_world(like=world, changed=refusing) as later:
        api = later.anyone.with_token(merchant.api.token)
        again = await api.post(PATH, BODY, key=key)
        assert (again.status_code, again.content) == (201, first.content)
        problem = refused(await api.post(PATH, BODY, key=fresh_key()), 400, "validation_error")
        assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [("/url", "url_not_allowed")]
        path = f"{PATH}/{created(first)['id']}"
        refused(await api.send("PATCH", path, {"url": "https://other.example/"}), 400, "validation_error")
        assert ok(await api.send("PATCH", path, {"events": ["*"]}))["events"] == ["*"]


@pytest.mark.parametrize(
    ("refusal", "status"),
    [(RateLimited("Too many of yours.", retry_after_seconds=1), 429), (Overloaded("Too many."), 503)],
)
async def test_a_host_that_cannot_be_looked_up_now_is_no_wrong_url(
    merchant: Person, world: World, refusal: Refusal, status: int
) -> None:
    key = fresh_key()
    made = created(await merchant.api.post(PATH, BODY))
    path, other = f"{PATH}/{made['id']}", {"url": "https://other.example/"}
    async with open_world(like=world, changed=lambda gateway: refusing(gateway, refusal)) as overloaded:
        api = overloaded.anyone.with_token(merchant.api.token)
        for answer in (await api.post(PATH, BODY, key=key), await api.send("PATCH", path, other)):
            assert refused(answer, status, refusal.code)["retryable"] is True
            assert answer.headers["retry-after"] == "1"
    # Nothing is stored under the key: the same request succeeds later.
    created(await merchant.api.post(PATH, BODY, key=key))
    assert ok(await merchant.api.send("PATCH", path, other))["url"] == other["url"]


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"url": "ftp://shop.example/"}, "/url", "url_invalid"),
        ({"url": "https://user:secret@shop.example/"}, "/url", "url_invalid"),
        ({"url": "https://bücher.example/"}, "/url", "url_invalid"),
        ({"events": ["payment.paid"]}, "/events", "event_type_unknown"),
        ({"events": ["payment.*", "payment.*"]}, "/events", "value_invalid"),
        ({"events": []}, "/events", "value_invalid"),
        ({"events": ["*"] * 33}, "/events", "value_invalid"),
        ({"events": "payment.*"}, "/events", "type_mismatch"),
        ({"description": "card 4111 1111 1111 1111"}, "/description", "card_number"),
        ({"description": "x" * 501}, "/description", "value_invalid"),
        ({"enabled": "yes"}, "/enabled", "type_mismatch"),
        ({"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "/secret", "field_unknown"),
    ],
)
async def test_what_is_not_valid_is_refused_at_its_field(
    merchant: Person, change: Json, pointer: str, code: str
) -> None:
    path = f"{PATH}/{created(await merchant.api.post(PATH, BODY))['id']}"
    for answer in (
        await merchant.api.post(PATH, {**BODY, **change}),
        await merchant.api.send("PATCH", path, change),
    ):
        errors = refused(answer, 400, "validation_error")["errors"]
        assert [(error["pointer"], error["code"]) for error in errors] == [(pointer, code)]
    assert len(ok(await merchant.api.get(PATH))["data"]) == 1


async def test_a_merchant_has_at_most_16_endpoints(merchant: Person) -> None:
    for _ in range(16):
        created(await merchant.api.post(PATH, BODY))
    refused(await merchant.api.post(PATH, BODY), 409, "endpoint_limit_reached")
    [newest, *_] = ok(await merchant.api.get(PATH, limit=100))["data"]
    await merchant.api.send("DELETE", f"{PATH}/{newest['id']}")
    created(await merchant.api.post(PATH, BODY))


async def test_lists_have_pages(merchant: Person, world: World) -> None:
    made = [created(await merchant.api.post(PATH, BODY))["id"] for _ in range(5)]
    created(await (await world.merchant()).api.post(PATH, BODY))
    seen: list[str] = []
    page = ok(await merchant.api.get(PATH, limit=2))
    while True:
        seen += [endpoint["id"] for endpoint in page["data"]]
        if not page["has_more"]:
            break
        page = ok(await merchant.api.get(PATH, limit=2, cursor=page["next_cursor"]))
    assert seen == made[::-1]
    first = ok(await merchant.api.get(PATH, limit=1))["next_cursor"]
    refused(await (await world.merchant()).api.get(PATH, cursor=first), 400, "cursor_invalid")


async def test_somebody_elses_endpoint_is_the_same_as_none(merchant: Person, operator: Person, world: World) -> None:
    path = f"{PATH}/{created(await merchant.api.post(PATH, BODY))['id']}"
    for person in (await world.merchant(), operator):
        for method, place in (
            ("GET", path),
            ("PATCH", path),
            ("DELETE", path),
            ("POST", f"{path}/rotate-secret"),
            ("POST", f"{path}/test"),
        ):
            refused(await person.api.send(method, place), 404, "webhook_endpoint_not_found")
        assert ok(await person.api.get(PATH))["data"] == []


async def test_operators_share_endpoints_for_all_merchants(operator: Person, merchant: Person, world: World) -> None:
    made, _ = with_secret(created(await operator.api.post(PATH, BODY)))
    path = f"{PATH}/{made['id']}"
    colleague = await world.operator()
    assert ok(await colleague.api.get(PATH))["data"] == [made]
    assert ok(await colleague.api.send("PATCH", path, {"events": ["*"]}))["events"] == ["*"]
    refused(await merchant.api.get(path), 404, "webhook_endpoint_not_found")
    [found] = await world.gateway.storage.webhook_endpoints.enabled_for([UserId(merchant.id)])
    assert (found.id, found.all_merchants) == (made["id"], True)


async def test_a_test_is_an_event_and_a_disabled_endpoint_takes_none(merchant: Person, world: World) -> None:
    path = f"{PATH}/{created(await merchant.api.post(PATH, BODY))['id']}"
    sent = body_of(await merchant.api.post(f"{path}/test"), 202)
    [event] = [each for each in await world.gateway.events.read() if each.type is EventType.ENDPOINT_TEST]
    assert sent == {
        "object": "webhook_test",
        "endpoint_id": event.object_id,
        "event_id": event.id,
        "created_at": sent["created_at"],
    }
    assert event.merchant_id == merchant.id
    assert event.data == (await merchant.api.get(path)).content
    disabled = await merchant.api.send("PATCH", path, {"enabled": False})
    problem = refused(await merchant.api.post(f"{path}/test"), 409, "webhook_endpoint_disabled")
    assert problem["disabled_reason"] == "by_owner"
    *_, told = await world.gateway.events.read()
    assert (told.type, told.data) == (EventType.ENDPOINT_DISABLED, disabled.content)


async def test_no_secret_is_logged(merchant: Person, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    path = f"{PATH}/{created(await merchant.api.post(PATH, BODY))['id']}"
    await merchant.api.post(f"{path}/rotate-secret")
    assert "whsec_" not in caplog.text
