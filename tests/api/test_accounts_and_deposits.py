"""Accounts and deposits."""

from collections.abc import AsyncIterator

import pytest

from gateway.domain.money import AMOUNT_MINOR_MAX, COUNTER_MAX
from support.api_client import Json, Person, World, created, fresh_key, ok, open_world, refused


@pytest.fixture
async def production() -> AsyncIterator[World]:
    """An application as it runs with real money."""
    async with open_world(sandbox=False) as world:
        yield world


def a_deposit(person: Person, **change: object) -> Json:
    return {"account_id": person.account_id, "amount": 10, "currency": "USD", **change}


async def test_an_owner_has_one_account_in_each_currency(customer: Person) -> None:
    account = created(await customer.api.post("/accounts", {"currency": "EUR"}))
    assert (account["owner_id"], account["kind"], account["currency"]) == (customer.id, "customer", "EUR")
    refused(await customer.api.post("/accounts", {"currency": "EUR"}), 409, "account_exists")
    refused(await customer.api.post("/accounts", {"currency": "USD"}), 409, "account_exists")
    refused(await customer.api.post("/accounts", {"currency": "ZZZ"}), 422, "unknown_currency")
    listed = ok(await customer.api.get("/accounts"))["data"]
    assert [entry["id"] for entry in listed] == [account["id"], customer.account_id]
    assert ok(await customer.api.get("/accounts", currency="EUR"))["data"] == [account]
    assert {entry["id"] for entry in ok(await customer.api.get("/users/me"))["accounts"]} == {
        account["id"],
        customer.account_id,
    }


async def test_an_account_is_seen_by_its_owner_and_by_operators_only(
    customer: Person, merchant: Person, operator: Person
) -> None:
    path = f"/accounts/{customer.account_id}"
    account = ok(await customer.api.get(path))
    assert account["balance"] == {"posted": 100_000, "held": 0, "available": 100_000, "incoming": 0}
    assert account["version"] == 2
    assert ok(await operator.api.get(path)) == account
    assert ok(await operator.api.get("/accounts", owner_id=customer.id))["data"] == [account]
    of_others = refused(await merchant.api.get(path), 404, "account_not_found")
    of_nobody = refused(await merchant.api.get("/accounts/acc_none"), 404, "account_not_found")
    assert of_others["detail"] == of_nobody["detail"]
    listed = ok(await merchant.api.get("/accounts"))["data"]
    assert [entry["id"] for entry in listed] == [merchant.account_id]


async def test_an_operator_freezes_and_unfreezes_as_often_as_they_like(customer: Person, operator: Person) -> None:
    path = f"/accounts/{customer.account_id}"
    frozen = ok(await operator.api.post(f"{path}/freeze"))
    assert (frozen["status"], frozen["version"]) == ("frozen", 3)
    assert ok(await operator.api.post(f"{path}/freeze/")) == frozen
    assert ok(await customer.api.get(path)) == frozen
    thawed = ok(await operator.api.post(f"{path}/unfreeze"))
    assert (thawed["status"], thawed["version"]) == ("open", 4)
    assert ok(await operator.api.post(f"{path}/unfreeze")) == thawed


async def test_the_gateways_own_accounts_cannot_be_frozen_nor_funded(customer: Person, operator: Person) -> None:
    everybody = ok(await operator.api.get("/accounts", limit=100))["data"]
    own = [account["id"] for account in everybody if account["kind"] not in {"customer", "merchant"}]
    assert len(own) == 3
    for account_id in own:
        for action in ("freeze", "unfreeze"):
            refused(await operator.api.post(f"/accounts/{account_id}/{action}"), 404, "account_not_found")
        for person in (operator, customer):
            body = a_deposit(customer, account_id=account_id)
            refused(await person.api.post("/deposits", body, key=fresh_key()), 404, "account_not_found")
        refused(await customer.api.get(f"/accounts/{account_id}"), 404, "account_not_found")


async def test_in_the_sandbox_owners_fund_their_own_accounts(customer: Person, merchant: Person) -> None:
    for person, before in ((customer, 100_000), (merchant, 0)):
        body = a_deposit(person, reference="gift")
        deposit = created(await person.api.post("/deposits", body, key=fresh_key()))
        assert deposit == {
            "id": deposit["id"],
            "object": "deposit",
            "transaction_id": deposit["transaction_id"],
            "account_id": person.account_id,
            "amount": 10,
            "currency": "USD",
            "reference": "gift",
            "created_at": deposit["created_at"],
        }
        assert await person.available() == before + 10
        transaction = ok(await person.api.get(f"/transactions/{deposit['transaction_id']}"))
        assert (transaction["type"], transaction["amount"], transaction["description"]) == ("deposit", 10, "gift")


async def test_nobody_but_operators_funds_the_accounts_of_others(
    customer: Person, merchant: Person, operator: Person
) -> None:
    body = a_deposit(customer)
    refused(await merchant.api.post("/deposits", body, key=fresh_key()), 404, "account_not_found")
    created(await operator.api.post("/deposits", body, key=fresh_key()))
    assert await customer.available() == 100_010


async def test_in_production_only_operators_make_deposits(production: World) -> None:
    customer, merchant, operator = (
        await production.customer(),
        await production.merchant(),
        await production.operator(),
    )
    for person in (customer, merchant):
        refused(await person.api.post("/deposits", a_deposit(person), key=fresh_key()), 403, "role_forbidden")
    created(await operator.api.post("/deposits", a_deposit(customer), key=fresh_key()))
    assert await customer.available() == 10


async def test_a_deposit_is_in_the_currency_of_its_account(customer: Person) -> None:
    for currency, code in (("EUR", "currency_mismatch"), ("ZZZ", "unknown_currency")):
        body = a_deposit(customer, currency=currency)
        refused(await customer.api.post("/deposits", body, key=fresh_key()), 422, code)


async def test_the_largest_amount_is_taken_and_no_larger(customer: Person) -> None:
    assert (await customer.deposit(AMOUNT_MINOR_MAX))["amount"] == AMOUNT_MINOR_MAX
    body = a_deposit(customer, amount=AMOUNT_MINOR_MAX + 1)
    refused(await customer.api.post("/deposits", body, key=fresh_key()), 400, "validation_error")


async def test_a_balance_that_64_bits_would_not_hold_is_refused(world: World, customer: Person) -> None:
    await world.fill(customer, room=5)
    answer = await customer.api.post("/deposits", a_deposit(customer, amount=6), key=fresh_key())
    refused(answer, 422, "balance_overflow")
    await customer.deposit(5)
    assert await customer.available() == COUNTER_MAX
