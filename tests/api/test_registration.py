"""Registration: users, their addresses and their passwords."""

import pytest

from support.api_client import PASSWORD, Json, World, created, fresh_email, ok, refused, registration


@pytest.mark.parametrize("role", ["customer", "merchant"])
async def test_registering_opens_one_account_in_the_chosen_currency(world: World, role: str) -> None:
    body = registration(role=role, name="Ada", currency="JPY")
    user = created(await world.anyone.post("/users/register", body))
    [account] = user["accounts"]
    assert user == {
        "id": user["id"],
        "object": "user",
        "email": body["email"],
        "role": role,
        "name": "Ada",
        "status": "active",
        "created_at": world.clock.now.isoformat().replace("+00:00", "Z"),
        "accounts": [account],
    }
    assert account == {
        "id": account["id"],
        "object": "account",
        "owner_id": user["id"],
        "kind": role,
        "currency": "JPY",
        "balance": {"posted": 0, "held": 0, "available": 0, "incoming": 0},
        "status": "open",
        "version": 1,
        "created_at": user["created_at"],
    }
    assert user["id"].startswith("usr_")
    assert account["id"].startswith("acc_")


async def test_name_and_currency_may_be_left_out(world: World) -> None:
    user = created(await world.anyone.post("/users/register", registration()))
    assert user["name"] is None
    assert user["accounts"][0]["currency"] == "USD"


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"role": "operator"}, "/role", "value_invalid"),
        ({"role": "admin"}, "/role", "value_invalid"),
        ({"email": "nobody"}, "/email", "email_invalid"),
        ({"email": "a b@example.com"}, "/email", "email_invalid"),
        ({"email": "a@b@example.com"}, "/email", "email_invalid"),
        ({"email": "x@y.com,"}, "/email", "email_invalid"),
        ({"email": "<x@y.com>"}, "/email", "email_invalid"),
        ({"email": "a\u200bda@example.com"}, "/email", "email_invalid"),
        ({"email": "\u202emoc.elpmaxe@ada"}, "/email", "email_invalid"),
        ({"email": "a" * 250 + "@example.com"}, "/email", "value_invalid"),
        ({"password": "short77"}, "/password", "value_invalid"),
        ({"password": "x" * 129}, "/password", "value_invalid"),
        ({"password": "password"}, "/password", "password_common"),
        ({"password": "Password1"}, "/password", "password_common"),
        ({"currency": "usd"}, "/currency", "value_invalid"),
        ({"name": ""}, "/name", "value_invalid"),
        ({"name": "n" * 201}, "/name", "value_invalid"),
        ({"name": "5555 5555 5555 4444"}, "/name", "card_number"),
        ({"is_admin": True}, "/is_admin", "field_unknown"),
    ],
)
async def test_what_may_not_be_registered_is_refused_with_a_pointer(
    quiet_world: World, change: Json, pointer: str, code: str
) -> None:
    problem = refused(await quiet_world.anyone.post("/users/register", registration(**change)), 400, "validation_error")
    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [(pointer, code)]


@pytest.mark.parametrize("password", ["x1y2z3w4", "p" * 64 + "q" * 64, "пароль из восьми", "a b c d e f"])
async def test_passwords_of_eight_to_128_characters_are_taken(world: World, password: str) -> None:
    body = registration(password=password)
    created(await world.anyone.post("/users/register", body))
    await world.signed_in(body["email"], password)


async def test_an_address_belongs_to_one_user_however_it_is_spelled(world: World) -> None:
    created(await world.anyone.post("/users/register", registration(email="Ada@Example.com")))
    for spelling in ("Ada@Example.com", "ada@example.com", " ADA@EXAMPLE.COM "):
        refused(await world.anyone.post("/users/register", registration(email=spelling)), 409, "email_taken")
    assert (await world.signed_in("aDA@eXAMPLE.com")).id


async def test_forms_of_an_address_are_one_user(world: World) -> None:
    local = fresh_email().partition("@")[0]
    forms = [f"{local}\u00e9@b\u00fccher.example", f"{local}e\u0301@xn--bcher-kva.example"]
    user = created(await world.anyone.post("/users/register", registration(email=forms[1])))
    assert user["email"] == forms[0]
    for form in forms:
        refused(await world.anyone.post("/users/register", registration(email=form)), 409, "email_taken")
        tokens = ok(await world.anyone.post("/users/login", {"email": form, "password": PASSWORD}))
        assert tokens["user"]["id"] == user["id"]


async def test_an_unknown_currency_is_refused(world: World) -> None:
    refused(await world.anyone.post("/users/register", registration(currency="ZZZ")), 422, "unknown_currency")
