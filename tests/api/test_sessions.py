"""Sessions: log in, refresh, log out, change the password, and the published keys."""

import base64

import pytest
from jose import jwt  # type: ignore[import-untyped]  # python-jose ships no types.

from gateway.application.ports.sessions import SessionId
from support.api_client import PASSWORD, Person, World, created, fresh_email, ok, refused, registration


async def test_logging_in_gives_a_pair_of_tokens_with_the_user(world: World) -> None:
    user = created(await world.anyone.post("/users/register", registration()))
    tokens = ok(await world.anyone.post("/users/login", {"email": user["email"], "password": PASSWORD}))
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 900
    assert tokens["user"] == user
    assert ok(await world.anyone.with_token(tokens["access_token"]).get("/users/me")) == user
    header, claims = (
        jwt.get_unverified_header(tokens["access_token"]),
        jwt.get_unverified_claims(tokens["access_token"]),
    )
    assert header.keys() == {"alg", "typ", "kid"}
    assert header["typ"] == "at+jwt"
    assert claims.keys() == {"iss", "aud", "sub", "iat", "exp", "jti", "role"}
    assert (claims["sub"], claims["role"]) == (user["id"], "customer")
    assert claims["exp"] - claims["iat"] == 900


async def test_an_unknown_address_and_a_wrong_password_are_refused_in_the_same_words(
    world: World, customer: Person
) -> None:
    wrong = refused(
        await world.anyone.post("/users/login", {"email": customer.email, "password": "wrong horse"}),
        401,
        "invalid_credentials",
    )
    unknown = refused(
        await world.anyone.post("/users/login", {"email": fresh_email(), "password": PASSWORD}),
        401,
        "invalid_credentials",
    )
    assert {**wrong, "request_id": ""} == {**unknown, "request_id": ""}


@pytest.mark.parametrize("password", ["", "x" * 1024])
async def test_a_password_that_nobody_can_have_is_just_wrong(world: World, customer: Person, password: str) -> None:
    body = {"email": customer.email, "password": password}
    refused(await world.anyone.post("/users/login", body), 401, "invalid_credentials")


async def test_after_five_failures_the_next_try_has_to_wait_even_with_the_right_password(world: World) -> None:
    email = created(await world.anyone.post("/users/register", registration()))["email"]
    wrong, right = {"email": email, "password": "wrong horse"}, {"email": email, "password": PASSWORD}
    for _ in range(5):
        refused(await world.anyone.post("/users/login", wrong), 401, "invalid_credentials")
    answer = await world.anyone.post("/users/login", right)
    assert refused(answer, 429, "rate_limited")["retryable"] is True
    world.clock.advance(int(answer.headers["retry-after"]))
    refused(await world.anyone.post("/users/login", wrong), 401, "invalid_credentials")
    second = await world.anyone.post("/users/login", right)
    refused(second, 429, "rate_limited")
    assert int(second.headers["retry-after"]) > int(answer.headers["retry-after"])
    world.clock.advance(int(second.headers["retry-after"]))
    ok(await world.anyone.post("/users/login", right))


async def test_guessing_is_slowed_for_unknown_addresses_alike(world: World) -> None:
    body = {"email": fresh_email(), "password": PASSWORD}
    for _ in range(5):
        refused(await world.anyone.post("/users/login", body), 401, "invalid_credentials")
    refused(await world.anyone.post("/users/login", body), 429, "rate_limited")


async def test_a_refresh_token_is_exchanged_for_a_new_pair(world: World, customer: Person) -> None:
    tokens = ok(await world.anyone.post("/users/refresh", {"refresh_token": customer.refresh_token}))
    assert tokens["refresh_token"] != customer.refresh_token
    assert tokens["access_token"] != customer.api.token
    assert tokens["user"]["id"] == customer.id
    ok(await world.anyone.with_token(tokens["access_token"]).get("/users/me"))
    ok(await world.anyone.post("/users/refresh", {"refresh_token": tokens["refresh_token"]}))


async def test_using_an_old_refresh_token_again_ends_the_whole_family(world: World, customer: Person) -> None:
    tokens = ok(await world.anyone.post("/users/refresh", {"refresh_token": customer.refresh_token}))
    world.clock.advance(11)
    reused = await world.anyone.post("/users/refresh", {"refresh_token": customer.refresh_token})
    refused(reused, 401, "token_revoked")
    for token in (tokens["refresh_token"], customer.refresh_token):
        refused(await world.anyone.post("/users/refresh", {"refresh_token": token}), 401, "token_revoked")
    for access_token in (tokens["access_token"], customer.api.token):
        refused(await world.anyone.with_token(access_token).get("/users/me"), 401, "token_revoked")


async def test_a_lost_answer_to_a_refresh_may_be_asked_again_at_once(world: World, customer: Person) -> None:
    body = {"refresh_token": customer.refresh_token}
    first = ok(await world.anyone.post("/users/refresh", body))
    again = ok(await world.anyone.post("/users/refresh", body))
    assert first["refresh_token"] == again["refresh_token"]
    ok(await world.anyone.post("/users/refresh", {"refresh_token": again["refresh_token"]}))
    refused(await world.anyone.post("/users/refresh", body), 401, "token_revoked")


async def test_a_session_lasts_thirty_days_after_its_last_refresh(world: World, customer: Person) -> None:
    world.clock.advance(29 * 24 * 3600)
    tokens = ok(await world.anyone.post("/users/refresh", {"refresh_token": customer.refresh_token}))
    world.clock.advance(31 * 24 * 3600)
    body = {"refresh_token": tokens["refresh_token"]}
    refused(await world.anyone.post("/users/refresh", body), 401, "token_expired")


@pytest.mark.parametrize(
    "token", ["nonsense", "rt_", "rt_" + "0" * 64, "rt_" + "A" * 64, "rt_" + "0" * 63, "\N{SNOWMAN}" * 64]
)
async def test_a_refresh_token_that_was_never_given_is_invalid(world: World, customer: Person, token: str) -> None:
    refused(await world.anyone.post("/users/refresh", {"refresh_token": token}), 401, "token_invalid")
    if token != "rt_" + "0" * 64:
        refused(await customer.api.post("/users/logout", {"refresh_token": token}), 401, "token_invalid")
    ok(await customer.api.get("/users/me"))


async def test_logging_out_ends_the_session_for_both_its_tokens(world: World, customer: Person) -> None:
    other_session = await world.signed_in(customer.email)
    answer = await customer.api.post("/users/logout", {"refresh_token": customer.refresh_token})
    assert (answer.status_code, answer.content) == (204, b"")
    refused(await customer.api.get("/users/me"), 401, "token_revoked")
    body = {"refresh_token": customer.refresh_token}
    refused(await world.anyone.post("/users/refresh", body), 401, "token_revoked")
    ok(await other_session.api.get("/users/me"))


async def test_nobody_ends_the_sessions_of_others(world: World, customer: Person, merchant: Person) -> None:
    await customer.api.post("/users/logout", {"refresh_token": merchant.refresh_token})
    ok(await merchant.api.get("/users/me"))
    ok(await world.anyone.post("/users/refresh", {"refresh_token": merchant.refresh_token}))


async def test_a_session_that_another_process_ended_is_refused_within_two_seconds(
    world: World, customer: Person
) -> None:
    ok(await customer.api.get("/users/me"))
    assert customer.api.token is not None
    session_id, _, _ = jwt.get_unverified_claims(customer.api.token)["jti"].partition(".")
    await world.gateway.storage.sessions.revoke(SessionId(session_id), now=world.clock.now)
    world.clock.advance(2.001)
    refused(await customer.api.get("/users/me"), 401, "token_revoked")


async def test_changing_the_password_ends_every_session(world: World, customer: Person) -> None:
    other_session = await world.signed_in(customer.email)
    body = {"current_password": PASSWORD, "new_password": "a longer and better one"}
    answer = await customer.api.post("/users/me/password", body)
    assert (answer.status_code, answer.content) == (204, b"")
    for session in (customer, other_session):
        refused(await session.api.get("/users/me"), 401, "token_revoked")
        token = {"refresh_token": session.refresh_token}
        refused(await world.anyone.post("/users/refresh", token), 401, "token_revoked")
    old = {"email": customer.email, "password": PASSWORD}
    refused(await world.anyone.post("/users/login", old), 401, "invalid_credentials")
    ok(await (await world.signed_in(customer.email, "a longer and better one")).api.get("/users/me"))


async def test_the_password_changes_only_for_who_knows_it_and_to_a_good_one(world: World, customer: Person) -> None:
    wrong = {"current_password": "wrong horse", "new_password": "a longer and better one"}
    refused(await customer.api.post("/users/me/password", wrong), 401, "invalid_credentials")
    common = {"current_password": PASSWORD, "new_password": "password1"}
    refused(await customer.api.post("/users/me/password", common), 400, "validation_error")
    for _ in range(4):
        refused(await customer.api.post("/users/me/password", wrong), 401, "invalid_credentials")
    refused(await customer.api.post("/users/me/password", wrong), 429, "rate_limited")
    world.clock.advance(60)
    ok(await (await world.signed_in(customer.email)).api.get("/users/me"))


async def test_an_access_token_expires_to_the_second(world: World, customer: Person) -> None:
    world.clock.advance(899)
    ok(await customer.api.get("/users/me"))
    world.clock.advance(1)
    answer = await customer.api.get("/users/me")
    refused(answer, 401, "token_expired")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_the_published_keys_verify_a_token_without_any_secret(world: World, customer: Person) -> None:
    key_set = ok(await world.anyone.get("/.well-known/jwks.json"))
    [key] = key_set["keys"]
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
    assert "d" not in key
    assert customer.api.token is not None
    assert jwt.get_unverified_header(customer.api.token)["kid"] == key["kid"]
    options = {"verify_exp": False}  # The test's clock stands still somewhere else.
    claims = jwt.decode(customer.api.token, key_set, algorithms=["ES256"], audience="gateway", options=options)
    assert claims["sub"] == customer.id
    header, payload, signature = customer.api.token.split(".")
    forged = base64.urlsafe_b64encode(base64.urlsafe_b64decode(payload + "==").replace(b"customer", b"operator"))
    with pytest.raises(jwt.JWTError):
        jwt.decode(
            f"{header}.{forged.decode().rstrip('=')}.{signature}",
            key_set,
            algorithms=["ES256"],
            audience="gateway",
            options=options,
        )
