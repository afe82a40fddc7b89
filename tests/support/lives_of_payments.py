"""Payments driven into every answer that may be given about them."""

from dataclasses import dataclass

from gateway.ports import ALLOWED, PaymentAttempt, RiskVerdict, refused, reviewed
from support.api_client import PASSWORD, Json, Person, World, created, fresh_email, fresh_key, ok


async def do(person: Person, path: str, body: Json | None = None) -> Json:
    """Ask, and take whatever is answered."""
    answer: Json = (await person.api.post(path, body, key=fresh_key())).json()
    return answer


class AsDescribed:
    """Rules of risk that do what the description of a payment says: `refuse` or `review`."""

    windows = ()

    def assess(self, attempt: PaymentAttempt) -> RiskVerdict:
        match attempt.description:
            case "refuse":
                return refused("described")
            case "review":
                return reviewed("described")
            case _:
                return ALLOWED


@dataclass(frozen=True, slots=True, kw_only=True)
class Lives:
    """People whose balances nothing else relies on, and payments between them."""

    world: World
    customer: Person
    merchant: Person
    operator: Person

    async def requested(self, **more: object) -> str:
        """The path of a payment that the merchant asks for."""
        payment = await do(self.merchant, "/payments", {"amount": 200, "currency": "USD", **more})
        return f"/payments/{payment.get('id')}"

    async def held(self) -> str:
        """The path of a payment to be captured within a minute."""
        payment = await self.customer.pay(self.merchant, 200, capture="manual", expires_in_seconds=60)
        return f"/payments/{payment['id']}"

    async def reviewed(self, **more: object) -> str:
        """The path of a payment that waits for an operator."""
        order: Json = {"merchant_id": self.merchant.id, "amount": 200, "currency": "USD", "description": "review"}
        return f"/payments/{(await do(self.customer, '/payments', {**order, **more}))['id']}"

    async def paid(self) -> str:
        """The path of a captured payment."""
        return f"/payments/{(await self.customer.pay(self.merchant, 200))['id']}"


async def meet_what_lives_of_payments_cause(world: World, operator: Person) -> None:
    """All of it."""
    customer, merchant = await world.customer(balance=10_000), await world.merchant()
    lives = Lives(world=world, customer=customer, merchant=merchant, operator=operator)
    await meet_what_requests_cause(lives)
    await meet_what_rules_cause(lives)
    await meet_what_captures_cause(lives)
    await meet_what_refunds_cause(lives)
    await meet_what_batches_cause(lives)
    await meet_what_time_causes(lives)
    await meet_what_freezing_causes(lives)
    await meet_what_closing_causes(lives)
    await meet_what_disabling_causes(lives)
    await meet_what_payouts_and_reversals_cause(lives)
    await meet_what_fees_cause(lives)
    await meet_what_exchange_causes(lives)
    await meet_what_too_little_or_too_much_causes(lives)
    await meet_what_webhook_endpoints_cause(world, merchant)
    await meet_what_api_keys_cause(world)
    await meet_what_customers_cause(world)
    await meet_what_members_cause(world, operator)


async def meet_what_requests_cause(lives: Lives) -> None:
    customer = lives.customer
    await lives.requested(customer_id="usr_nobody")
    path = await lives.requested()
    for asked in (path, path, "/payments/x", await lives.requested(amount=1_000_000)):
        await do(customer, f"{asked}/confirm")
    await do(await lives.world.customer(currency="CHF"), f"{await lives.requested()}/confirm")


REASON: Json = {"reason": "x"}


async def meet_what_rules_cause(lives: Lives) -> None:
    """In a world whose rules are `AsDescribed`."""
    order: Json = {"merchant_id": lives.merchant.id, "amount": 200, "currency": "USD", "description": "refuse"}
    for path in ("/payments", "/transactions", f"{await lives.requested(description='refuse')}/confirm"):
        await do(lives.customer, path, {} if path.endswith("confirm") else order)
    for action in ("approve", "decline"):
        waiting = await lives.reviewed()
        for asked in (waiting, waiting, "/payments/x"):
            await do(lives.operator, f"{asked}/{action}", REASON)


async def meet_what_captures_cause(lives: Lives) -> None:
    merchant = lives.merchant
    path = await lives.held()
    for body in ({"amount": 201}, {}, {}):
        await do(merchant, f"{path}/capture", body)
    path = await lives.held()
    await do(merchant, f"{path}/refunds", {})
    for _ in range(51):
        await do(merchant, f"{path}/capture", {"amount": 1, "final": False})
    for canceled in (path, path, "/payments/x"):
        await do(merchant, f"{canceled}/cancel")
    await do(merchant, "/payments/x/capture", {})


async def meet_what_refunds_cause(lives: Lives) -> None:
    customer, merchant = lives.customer, lives.merchant
    path = await lives.paid()
    await do(merchant, f"{path}/refunds", {"amount": 201})
    refund = await do(merchant, f"{path}/refunds", {"amount": 1})
    for _ in range(100):
        await do(merchant, f"{path}/refunds", {"amount": 1})
    await do(merchant, "/payments/x/refunds", {})
    for found in (f"/refunds/{refund['id']}", "/refunds/x", f"{path}/refunds", "/payments/x/refunds"):
        await customer.api.get(found)
    await customer.api.get(f"{path}/refunds", cursor="x")


async def meet_what_batches_cause(lives: Lives) -> None:
    item = {"merchant_id": lives.merchant.id, "amount": 1, "currency": "USD", "idempotency_key": fresh_key()}
    for mode, amount in (("independent", 1), ("atomic", 2)):
        batch = {"mode": mode, "items": [{**item, "amount": amount}]}
        await do(lives.customer, "/payments/batch", batch)


async def meet_what_time_causes(lives: Lives) -> None:
    asked, promised = await lives.requested(expires_in_seconds=60), await lives.held()
    waiting = await lives.reviewed(capture="manual", expires_in_seconds=60)
    lives.world.clock.advance(60)
    for action in ("approve", "decline"):
        await do(lives.operator, f"{waiting}/{action}", REASON)
    await do(lives.customer, f"{asked}/confirm")
    for action in ("capture", "cancel"):
        await do(lives.merchant, f"{promised}/{action}", {})


async def meet_what_freezing_causes(lives: Lives) -> None:
    customer, merchant, operator = lives.customer, lives.merchant, lives.operator
    asked, promised, paid = await lives.requested(), await lives.held(), await lives.paid()
    waiting = await lives.reviewed()
    money: Json = {"account_id": customer.account_id, "amount": 1, "currency": "USD"}
    deposit = await do(operator, "/deposits", money)
    for person in (customer, merchant):
        await operator.api.post(f"/accounts/{person.account_id}/freeze")
    await do(customer, f"{asked}/confirm")
    await do(merchant, f"{promised}/capture", {})
    await do(operator, f"{waiting}/approve", REASON)
    await do(merchant, f"{paid}/refunds", {})
    await do(customer, "/payouts", money)
    await do(operator, f"/transactions/{deposit['transaction_id']}/reverse", {"reason": "x"})
    for person in (customer, merchant):
        await operator.api.post(f"/accounts/{person.account_id}/unfreeze")


async def meet_what_closing_causes(lives: Lives) -> None:
    world, operator, customer = lives.world, lives.operator, lives.customer
    buyer, shop = await world.customer(balance=200), await world.merchant()
    asked = await do(shop, "/payments", {"amount": 1, "currency": "USD"})
    order: Json = {"merchant_id": shop.id, "amount": 200, "currency": "USD"}
    paid = await do(buyer, "/payments", order)
    money: Json = {"account_id": shop.account_id, "amount": 200, "currency": "USD"}
    await do(shop, f"/accounts/{shop.account_id}/close", {})
    paid_out = await do(shop, "/payouts", money)
    await operator.api.post(f"/accounts/{shop.account_id}/freeze")
    await do(shop, f"/accounts/{shop.account_id}/close", {})
    await do(operator, f"/accounts/{shop.account_id}/close", {"reason": "x"})
    for body in ({}, {"reason": "x"}):
        await do(operator, "/accounts/x/close", body)
    for path in ("/payments", "/transactions"):
        await do(customer, path, order)
    await do(customer, f"/payments/{asked['id']}/confirm")
    await do(shop, f"/payments/{paid['id']}/refunds", {})
    await do(shop, "/payouts", money)
    await do(operator, "/deposits", money)
    await do(operator, f"/transactions/{paid_out['transaction_id']}/reverse", {"reason": "x"})
    await operator.api.send("PUT", f"/merchants/{shop.id}/fees", {"currency": "USD", "basis_points": 1})


async def meet_what_disabling_causes(lives: Lives) -> None:
    world, operator = lives.world, lives.operator
    gone = await world.customer()
    for user_id in (gone.id, "x"):
        for action in ("end-sessions", "disable", "enable", "disable"):
            await do(operator, f"/users/{user_id}/{action}", {"reason": "x"})
    await world.anyone.post("/users/login", {"email": gone.email, "password": PASSWORD})
    await world.anyone.post("/users/refresh", {"refresh_token": gone.refresh_token})


async def meet_what_payouts_and_reversals_cause(lives: Lives) -> None:
    customer, operator = lives.customer, lives.operator
    money: Json = {"account_id": customer.account_id, "amount": 1, "currency": "USD"}
    for change in ({"amount": 1_000_000}, {"account_id": "x"}, {"currency": "CHF"}, {"currency": "ZZZ"}):
        await do(customer, "/payouts", {**money, **change})
    made = await do(customer, "/payouts", money)
    [payment] = ok(await lives.merchant.api.get("/transactions", limit=1))["data"]
    reversal = await do(operator, f"/transactions/{made['transaction_id']}/reverse", {"reason": "x"})
    for transaction in (made["transaction_id"], reversal["id"], payment["id"], "x"):
        await do(operator, f"/transactions/{transaction}/reverse", {"reason": "x"})


async def meet_what_fees_cause(lives: Lives) -> None:
    for merchant_id in ("x", lives.merchant.id):
        for currency in ("USD", "CHF", "ZZZ"):
            fees = {"currency": currency, "basis_points": 0}
            await lives.operator.api.send("PUT", f"/merchants/{merchant_id}/fees", fees)
        await lives.operator.api.get(f"/merchants/{merchant_id}/fees")


async def meet_what_exchange_causes(lives: Lives) -> None:
    customer, merchant, operator = lives.customer, lives.merchant, lives.operator
    rate: Json = {"rate": "0.5", "spread_basis_points": 0}
    for pair in ("USD/EUR", "USD/USD", "USD/ZZZ"):
        await operator.api.send("PUT", f"/rates/{pair}", rate)
    await customer.api.get("/rates")
    euros = await lives.world.merchant(currency="EUR")
    wish: Json = {"from_currency": "USD", "to_currency": "EUR", "target_amount": 10}
    for change in (
        {"to_currency": "JPY"},
        {"to_currency": "USD"},
        {"to_currency": "ZZZ"},
        {"target_amount": 999_999_999_999},
        {"target_amount": None, "source_amount": 1},
    ):
        await do(customer, "/quotes", {**wish, **change})
    used, late = await do(customer, "/quotes", wish), await do(customer, "/quotes", wish)
    for path in (f"/quotes/{used['id']}", "/quotes/x"):
        await customer.api.get(path)
    order: Json = {"merchant_id": euros.id, "amount": 10, "currency": "EUR"}

    async def use(quote_id: str, amount: int = 10) -> None:
        asked = await do(euros, "/payments", {"amount": amount, "currency": "EUR"})
        await do(customer, "/payments", {**order, "amount": amount, "quote_id": quote_id})
        await do(customer, f"/payments/{asked['id']}/confirm", {"quote_id": quote_id})

    await use("x")
    await use(used["id"], amount=11)
    await do(customer, "/payments", {**order, "quote_id": used["id"]})
    await use(used["id"])
    lives.world.clock.advance(60)
    await use(late["id"])
    await do(merchant, "/payments", {"amount": 1, "currency": "USD", "quote_id": "x"})


async def meet_what_too_little_or_too_much_causes(lives: Lives) -> None:
    customer, merchant, operator = lives.customer, lives.merchant, lives.operator
    deposit = await operator.deposit(1, account_id=merchant.account_id)
    paid, promised, asked = await lives.paid(), await lives.held(), await lives.requested()
    waiting = await lives.reviewed()
    everything: Json = {
        "account_id": merchant.account_id,
        "amount": await merchant.available(),
        "currency": "USD",
    }
    payout = created(await merchant.api.post("/payouts", everything, key=fresh_key()))
    await do(merchant, f"{paid}/refunds", {})
    await do(operator, f"/transactions/{deposit['transaction_id']}/reverse", {"reason": "x"})
    await lives.world.fill(merchant, room=0)
    await do(merchant, f"{promised}/capture", {})
    await do(operator, f"{waiting}/approve", REASON)
    await do(customer, f"{asked}/confirm")
    await do(operator, f"/transactions/{payout['transaction_id']}/reverse", {"reason": "x"})
    await lives.world.fill(customer, room=0)
    await do(merchant, f"{paid}/refunds", {})


A_DAY: Json = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}


async def meet_what_webhook_endpoints_cause(world: World, merchant: Person) -> None:
    body: Json = {"url": "https://shop.example/webhooks", "events": ["payment.*"]}
    for _ in range(17):
        await merchant.api.post("/webhook-endpoints", body)
    [endpoint, *_] = ok(await merchant.api.get("/webhook-endpoints"))["data"]
    for path in (f"/webhook-endpoints/{endpoint['id']}", "/webhook-endpoints/x"):
        await merchant.api.get(path)
        for action in ("rotate-secret", "test"):
            await merchant.api.post(f"{path}/{action}")
        await meet_what_deliveries_cause(world, merchant, path)
        await merchant.api.send("PATCH", path, {"enabled": False})
        await merchant.api.post(f"{path}/test")
        await merchant.api.post(f"{path}/replay", A_DAY)
        for event_id in await events_of(world, merchant):
            await merchant.api.post(f"/events/{event_id}/redeliver", {"endpoint_id": path.rpartition("/")[2]})
        await merchant.api.send("DELETE", path)


async def meet_what_api_keys_cause(world: World) -> None:
    owner = await world.merchant()
    body: Json = {"name": "Till", "scopes": ["payments:read"]}
    await owner.api.post("/api-keys", body)
    await owner.api.get("/api-keys", cursor="x")
    [key] = ok(await owner.api.get("/api-keys"))["data"]
    for key_id in (key["id"], "x"):
        path = f"/api-keys/{key_id}"
        await owner.api.get(path)
        for _ in range(2):
            await owner.api.post(f"{path}/rotate")
        await owner.api.send("DELETE", path)
    while (await owner.api.post("/api-keys", body)).status_code == 201:
        pass
    [newest, *_] = ok(await owner.api.get("/api-keys"))["data"]
    await owner.api.post(f"/api-keys/{newest['id']}/rotate")
    nobody = world.gateway.tokens.issue(subject="usr_0", role="merchant", token_id="1", now=world.clock.now)
    await world.anyone.with_token(nobody).post("/api-keys", body)


async def meet_what_customers_cause(world: World) -> None:
    owner = await world.merchant()
    body: Json = {"external_id": "1"}
    for _ in range(2):
        await owner.api.post("/customers", body)
    other = created(await owner.api.post("/customers"))
    await owner.api.post("/customers", {"currency": "XXX"})
    page = ok(await owner.api.get("/customers", limit=1))
    for cursor in ("x", page["next_cursor"]):
        await owner.api.get("/customers", cursor=cursor, external_id="1")
    for customer_id in (other["id"], "x"):
        await owner.api.get(f"/customers/{customer_id}")
        for change in ({"name": "Ada"}, body):
            await owner.api.send("PATCH", f"/customers/{customer_id}", change)
        await owner.api.post(f"/customers/{customer_id}/invitations")
    invited = created(await owner.api.post(f"/customers/{other['id']}/invitations", {"valid_seconds": 60}))
    joins = {"token": invited["token"], "email": owner.email, "password": PASSWORD}
    for _ in range(2):
        await world.anyone.post("/customers/accept-invitation", joins)
        joins = {**joins, "email": "ada@customers.example.com"}
    await world.anyone.post("/customers/accept-invitation", joins)
    await owner.api.send("PATCH", f"/customers/{other['id']}", {"name": "Bea"})
    await owner.api.post(f"/customers/{other['id']}/invitations")
    nobody = world.gateway.tokens.issue(subject="usr_0", role="merchant", token_id="1", now=world.clock.now)
    await world.anyone.with_token(nobody).post("/customers", body)


async def meet_what_members_cause(world: World, operator: Person) -> None:
    owner, admin_of = await world.merchant(), await world.merchant()
    for cursor in ("x", ""):
        for path in ("/members", "/memberships"):
            await owner.api.send("GET", f"{path}?cursor={cursor}" if cursor else path)
    [first] = ok(await owner.api.get("/members"))["data"]
    user, tokens = await world.customer(), list[str]()
    for email, asker in ((user.email, owner), (user.email, owner), (fresh_email(), owner), (user.email, admin_of)):
        answer = await asker.api.post("/members", {"email": email, "role": "viewer"})
        tokens += [answer.json()["invitation_token"]] if answer.status_code == 201 else []
    members = [member["id"] for member in ok(await owner.api.get("/members"))["data"] if member["id"] != first["id"]]
    for member_id in (members[0], members[0], first["id"], "x"):
        await owner.api.get(f"/members/{member_id}")
        await owner.api.send("PATCH", f"/members/{member_id}", {"role": "support"})
    nobody = world.gateway.tokens.issue(subject="usr_0", role="customer", token_id="1", now=world.clock.now)
    await world.anyone.with_token(nobody).post("/invitations/accept", {"token": tokens[0]})
    register = {"password": "a longer and better one"}
    await world.anyone.post("/invitations/register", {"token": tokens[0], **register})
    for _ in range(2):
        await user.api.post("/invitations/accept", {"token": tokens[0]})
        await world.anyone.post("/invitations/register", {"token": tokens[1], **register})
    [membership] = ok(await user.api.get("/memberships"))["data"]
    for member_id in (membership["id"], "x"):
        await user.api.send("DELETE", f"/memberships/{member_id}")
    for member_id in (members[0], first["id"], "x"):
        await owner.api.send("DELETE", f"/members/{member_id}")
    await do(operator, f"/users/{admin_of.id}/disable", {"reason": "Fraud"})
    await world.anyone.post("/invitations/register", {"token": tokens[2], **register})
    while (await owner.api.post("/members", {"email": fresh_email(), "role": "viewer"})).status_code == 201:
        pass


async def events_of(world: World, merchant: Person) -> list[str]:
    """Two events that the merchant sees, and one that nobody sees."""
    found = [event.id for event in await world.gateway.events.read(limit=1_000) if event.merchant_id == merchant.id]
    return [*found[:2], "evt_x"]


async def meet_what_deliveries_cause(world: World, merchant: Person, endpoint: str) -> None:
    for _ in range(5):
        await merchant.api.post(f"{endpoint}/replay", A_DAY)
    for event_id in await events_of(world, merchant):
        await merchant.api.post(f"/events/{event_id}/redeliver", {"endpoint_id": endpoint.rpartition("/")[2]})
    page = (await merchant.api.get(f"{endpoint}/deliveries", limit="1")).json()
    for cursor in ("x", page.get("next_cursor") or "x"):
        await merchant.api.get(f"{endpoint}/deliveries", cursor=cursor, status="failed")
