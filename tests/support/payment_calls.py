"""Calls about payments that tests over HTTP make often."""

from support.api_client import Json, Person, World, created, fresh_key, ok, refused


async def ask(person: Person, path: str, body: Json | None = None) -> Json:
    return ok(await person.api.post(path, body, key=fresh_key()))


async def refuse(person: Person, path: str, status: int, code: str, body: Json | None = None) -> Json:
    return refused(await person.api.post(path, body, key=fresh_key()), status, code)


async def hold(customer: Person, merchant: Person, amount: int = 1000, **more: object) -> Json:
    return await customer.pay(merchant, amount, "USD", capture="manual", **more)


async def request(merchant: Person, amount: int = 1000, **more: object) -> Json:
    body = {"amount": amount, "currency": "USD", **more}
    return created(await merchant.api.post("/payments", body, key=fresh_key()))


async def shown(person: Person, payment: Json) -> Json:
    return ok(await person.api.get(f"/payments/{payment['id']}"))


async def balance(person: Person) -> Json:
    found: Json = ok(await person.api.get(f"/accounts/{person.account_id}"))["balance"]
    return found


async def check_the_books(world: World) -> None:
    operator = await world.operator()
    assert ok(await operator.api.get("/ledger/invariants"))["ok"] is True
