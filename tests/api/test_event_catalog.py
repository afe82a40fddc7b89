"""The catalog of events: every type, with an example that is what happens."""

import json
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.http.event_catalog import CATALOG, example_event
from gateway.adapters.http.resources.webhook_endpoints import EXAMPLE_ENDPOINT
from gateway.application.commands.create_webhook_endpoint import CreateWebhookEndpoint
from gateway.application.commands.disable_webhook_endpoint import DisableWebhookEndpoint
from gateway.application.commands.expire_payment import ExpirePayment
from gateway.application.commands.send_test_event import SendTestEvent
from gateway.domain.event_type import EventType
from gateway.domain.payment import PaymentId
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import DisabledReason
from gateway.entrypoints.event_types import event_types_markdown, event_types_table
from gateway.ports import RiskLimits, risk_limit
from support.api_client import PASSWORD, Json, Person, World, created, fresh_email, fresh_key, ok, open_world

SECRET = f"whsec_{'MfKQ' * 8}"
DOCS = Path(__file__).parents[2] / "docs"
ID = re.compile(r"\b(?:usr|acc|pay|ref|txn|dep|pyo|whe|key|mem)_[0-9a-z]{26}\b")
EMAIL = re.compile(r"[\w-]+@example\.com")
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:.]+Z")


def shape(thing: Json) -> Any:
    """An object without what differs each time: its ids are their prefixes, its times and addresses are one word."""
    text = EMAIL.sub("email", TIME.sub("time", ID.sub(lambda found: found[0][:4], json.dumps(thing))))
    text = re.sub(r'"last_four": "\w+"', '"last_four": "…"', text)
    return json.loads(text)


class Shop:
    """A customer, a merchant and an operator, who cause the events of the catalog."""

    def __init__(self, world: World, customer: Person, merchant: Person, operator: Person) -> None:
        self.world, self.customer, self.merchant, self.operator = world, customer, merchant, operator

    async def do(self, who: Person, path: str, body: Json | None = None, method: str = "POST") -> Json:
        """Ask, and take whatever is answered."""
        answer: Json = (await who.api.send(method, path, body, key=fresh_key() if method == "POST" else None)).json()
        return answer

    async def paid(self, customer: Person | None = None, **more: object) -> Json:
        body = {"merchant_id": self.merchant.id, "amount": 1_050, "currency": "USD", "description": "Two coffees"}
        return await self.do(customer or self.customer, "/payments", {**body, **more})

    async def requested(self) -> str:
        """The path of a payment that the merchant requests."""
        body = {"amount": 1_050, "currency": "USD", "description": "Two coffees"}
        return f"/payments/{(await self.do(self.merchant, '/payments', body))['id']}"

    async def play(self) -> None:
        await self.payments()
        await self.requests()
        await self.money()
        await self.accounts()
        await self.endpoints()
        await self.keys()
        await self.customers()
        await self.members()

    async def payments(self) -> None:
        path = f"/payments/{(await self.paid())['id']}"
        await self.do(self.merchant, f"{path}/refunds", {"reason": "The coffee was cold"})
        held = await self.paid(capture="manual")
        await self.do(self.merchant, f"/payments/{held['id']}/capture", {"amount": 400, "final": False})
        await self.paid(await self.world.customer(balance=2_000), capture="manual")
        held = await self.paid(capture="manual", expires_in_seconds=60)
        self.world.clock.advance(60)
        await self.world.gateway.execute(ExpirePayment(payment_id=PaymentId(held["id"])))

    async def requests(self) -> None:
        poor = await self.world.customer()
        await self.do(poor, f"{await self.requested()}/confirm")
        await self.do(self.merchant, f"{await self.requested()}/cancel")
        await self.paid(poor)

    async def money(self) -> None:
        shop = await self.world.merchant()
        body = {"account_id": shop.account_id, "amount": 100_000, "currency": "USD"}
        deposit = await self.do(self.operator, "/deposits", body)
        await self.do(self.operator, f"/transactions/{deposit['transaction_id']}/reverse", {"reason": "Twice"})
        await self.do(self.operator, "/deposits", body)
        await self.do(shop, "/payouts", {**body, "amount": 1_050})

    async def accounts(self) -> None:
        shop = await self.world.merchant()
        for action in ("freeze", "unfreeze"):
            await self.do(self.operator, f"/accounts/{shop.account_id}/{action}")
        disabled = await self.world.merchant()
        for action in ("disable", "enable"):
            await self.do(self.operator, f"/users/{disabled.id}/{action}", {"reason": "A stolen laptop"})
        await self.do(self.operator, f"/accounts/{(await self.world.merchant()).account_id}/close")
        fees = {"currency": "USD", "basis_points": 290, "fixed_amount": 30}
        await self.do(self.operator, f"/merchants/{shop.id}/fees", fees, "PUT")

    async def endpoints(self) -> None:
        gateway, owner_id = self.world.gateway, UserId(self.merchant.id)
        endpoint = await gateway.execute(
            CreateWebhookEndpoint(
                owner_id=owner_id,
                all_merchants=False,
                url=EXAMPLE_ENDPOINT["url"],
                events=tuple(EXAMPLE_ENDPOINT["events"]),
                description=EXAMPLE_ENDPOINT["description"],
                enabled=True,
                secret=SECRET,
            )
        )
        await gateway.execute(SendTestEvent(endpoint_id=endpoint.id, owner_id=owner_id))
        await gateway.execute(DisableWebhookEndpoint(endpoint_id=endpoint.id, reason=DisabledReason.FAILING))

    async def keys(self) -> None:
        body: Json = {"name": "Shop", "scopes": ["payments:read", "payments:write"]}
        for action, method, more in (("/rotate", "POST", {"old_key_seconds": 3_600}), ("", "DELETE", None)):
            key = await self.do(self.merchant, "/api-keys", body)
            await self.merchant.api.send(method, f"/api-keys/{key['id']}{action}", more)

    async def customers(self) -> None:
        body = {"name": "Ada", "email": "ada@example.com", "external_id": "customer-1001"}
        customer = await self.do(self.merchant, "/customers", body)
        path = f"/customers/{customer['id']}"
        await self.do(self.merchant, path, {"name": "Ada Lovelace"}, "PATCH")
        token = (await self.do(self.merchant, f"{path}/invitations", {"valid_seconds": 60}))["token"]
        joins = {"token": token, "email": "ada.l@example.com", "password": "a long password"}
        created(await self.world.anyone.post("/customers/accept-invitation", joins))

    async def members(self) -> None:
        body = {"email": fresh_email(), "role": "support"}
        member = await self.do(self.merchant, "/members", body)
        register = {"token": member["invitation_token"], "password": PASSWORD}
        created(await self.world.anyone.post("/invitations/register", register))
        await self.merchant.api.send("DELETE", f"/members/{member['id']}")


@pytest.fixture
async def shop() -> AsyncGenerator[Shop]:
    async with open_world(risk=RiskLimits(review=[risk_limit("balance_share=50")])) as world:
        customer, merchant, operator = await world.customer(), await world.merchant(), await world.operator()
        body = {"account_id": customer.account_id, "amount": 100_000, "currency": "USD"}
        created(await customer.api.post("/deposits", body, key=fresh_key()))
        yield Shop(world, customer, merchant, operator)


def test_the_catalog_has_every_type() -> None:
    assert list(CATALOG) == list(EventType)


async def test_the_example_of_each_type_is_what_happens(shop: Shop) -> None:
    await shop.play()
    happened: dict[EventType, list[tuple[int, Any]]] = {}
    for event in await shop.world.gateway.events.read(limit=1_000):
        happened.setdefault(event.type, []).append((event.sequence, shape(json.loads(event.data))))

    assert happened.keys() == CATALOG.keys()
    for event_type, seen in happened.items():
        entry = CATALOG[event_type]
        assert (entry.sequence, shape(entry.example)) in seen, event_type


def test_the_document_has_a_webhook_for_each_type_and_its_example_is_valid(quiet_world: World) -> None:
    contract = quiet_world.anyone.contract
    webhooks = contract.document["webhooks"]
    assert list(webhooks) == list(EventType)
    for event_type in EventType:
        content = webhooks[event_type]["post"]["requestBody"]["content"]["application/json"]
        assert content["example"] == example_event(event_type)
        steps = ("webhooks", event_type.value, "post", "requestBody", "content", "application/json", "schema")
        contract.validate(content["example"], *steps)


async def test_the_names_of_webhooks_are_not_those_of_operations(quiet_world: World) -> None:
    document = ok(await quiet_world.anyone.get("/openapi.json"))
    items = [*document["paths"].values(), *document["webhooks"].values()]
    names = [operation["operationId"] for item in items for operation in item.values()]
    assert len(names) == len(set(names))


def test_the_pages_are_those_of_the_catalog() -> None:
    # If not: gateway events types --markdown > docs/event-types.md
    assert (DOCS / "event-types.md").read_text(encoding="utf-8") == event_types_markdown()
    assert event_types_table("event-types.md") in (DOCS / "webhooks.md").read_text(encoding="utf-8")
