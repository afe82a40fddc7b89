"""A second factor over HTTP: enrolled with the password, confirmed by a first code, asked for by logins, good once."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from gateway import UserId
from gateway.application.access.recovery_codes import RECOVERY_CODES
from support.api_client import PASSWORD, Json, Person, World, created, ok, open_world, refused

STEP = 30


class Telephone:
    """An authenticator application, by the clock of the gateway."""

    def __init__(self, world: World, secret: str) -> None:
        self.world = world
        self.totp = pyotp.TOTP(secret)

    def code(self, *, steps: int = 0) -> str:
        return self.totp.at(self.world.clock() + timedelta(seconds=STEP * steps))


def credentials(person: Person, **fields: str) -> Json:
    return {"email": person.email, "password": PASSWORD, **fields}


async def enrolled(world: World, person: Person) -> tuple[Telephone, list[str]]:
    new = created(await world.anyone.post("/users/second-factor", credentials(person)))
    telephone = Telephone(world, new["secret"])
    body = credentials(person, code=telephone.code())
    codes = ok(await world.anyone.post("/users/second-factor/confirm", body))["recovery_codes"]
    world.clock.advance(STEP)
    return telephone, codes


async def actions_of(world: World, person: Person) -> Iterator[tuple[str, str]]:
    operator = await world.operator()
    found = ok(await operator.api.get("/audit", owner_id=person.id, limit=100))["data"]
    return ((each["action"], each["actor"]["id"]) for each in reversed(found))


async def test_a_second_factor_is_enrolled_confirmed_and_asked_for(world: World, customer: Person) -> None:
    new = created(await world.anyone.post("/users/second-factor", credentials(customer)))
    uri = urlsplit(new["otpauth_uri"])
    assert (uri.scheme, uri.netloc, parse_qs(uri.query)["secret"]) == ("otpauth", "totp", [new["secret"]])
    ok(await world.anyone.post("/users/login", credentials(customer)))  # It waits for its first code.
    telephone = Telephone(world, new["secret"])
    wrong = credentials(customer, code=telephone.code(steps=50))
    refused(await world.anyone.post("/users/second-factor/confirm", wrong), 401, "second_factor_invalid")
    ok(await world.anyone.post("/users/second-factor/confirm", credentials(customer, code=telephone.code())))

    missing = await world.anyone.post("/users/login", credentials(customer))
    refused(missing, 401, "second_factor_required")
    assert "invalid_token" not in missing.headers["www-authenticate"]
    world.clock.advance(STEP)
    ok(await world.anyone.post("/users/login", credentials(customer, code=telephone.code())))
    wrong_password: Json = {**credentials(customer, code=telephone.code(steps=1)), "password": "wrong horse"}
    refused(await world.anyone.post("/users/login", wrong_password), 401, "invalid_credentials")
    actions = list(await actions_of(world, customer))
    assert ("second_factor.enabled", customer.id) in actions


async def test_a_code_is_good_once_and_no_older_one_after_it(world: World, customer: Person) -> None:
    telephone, _ = await enrolled(world, customer)
    earlier, now, later = (telephone.code(steps=steps) for steps in (-1, 0, 1))
    ok(await world.anyone.post("/users/login", credentials(customer, code=now)))
    for code in (now, earlier):
        refused(await world.anyone.post("/users/login", credentials(customer, code=code)), 401, "second_factor_invalid")
    ok(await world.anyone.post("/users/login", credentials(customer, code=later)))


async def test_of_eight_logins_with_one_code_at_once_one_gets_in(world: World, customer: Person) -> None:
    telephone, _ = await enrolled(world, customer)
    body = credentials(customer, code=telephone.code())
    answers = await asyncio.gather(*(world.anyone.post("/users/login", body) for _ in range(8)))
    assert [answer.status_code for answer in answers].count(200) == 1


@pytest.mark.parametrize(("steps", "is_good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_clocks_may_be_a_step_apart(world: World, customer: Person, steps: int, *, is_good: bool) -> None:
    telephone, _ = await enrolled(world, customer)
    world.clock.advance(2 * STEP)
    answer = await world.anyone.post("/users/login", credentials(customer, code=telephone.code(steps=steps)))
    assert answer.status_code == (200 if is_good else 401)


async def test_a_recovery_code_is_good_once_however_it_is_typed(world: World, customer: Person) -> None:
    _, codes = await enrolled(world, customer)
    assert len(set(codes)) == RECOVERY_CODES == 10
    first, second = codes[0], codes[1].upper().replace("-", " ")
    for code in (first, second):
        ok(await world.anyone.post("/users/login", credentials(customer, code=code)))
        refused(await world.anyone.post("/users/login", credentials(customer, code=code)), 401, "second_factor_invalid")
    used = [action for action, _ in await actions_of(world, customer) if action == "recovery_code.used"]
    assert len(used) == 2
    stored = await world.gateway.storage.second_factors.of(customer.id)  # type: ignore[arg-type]  # a text here.
    assert stored is not None
    assert len(stored.recovery_hashes) == 8
    assert not any(code in str(stored) for code in codes)


async def test_wrong_codes_have_to_wait_as_wrong_passwords_do(world: World, customer: Person) -> None:
    telephone, _ = await enrolled(world, customer)
    for number in range(5):
        body = credentials(customer, code=f"00000{number}" if telephone.code() != f"00000{number}" else "999999")
        refused(await world.anyone.post("/users/login", body), 401, "second_factor_invalid")
    for code in ("000009", telephone.code()):
        answer = await world.anyone.post("/users/login", credentials(customer, code=code))
        refused(answer, 429, "rate_limited")
        assert int(answer.headers["retry-after"]) >= 1
    world.clock.advance(2 * STEP)
    ok(await world.anyone.post("/users/login", credentials(customer, code=telephone.code())))


async def test_it_is_disabled_with_password_and_code_and_may_be_enrolled_again(world: World, customer: Person) -> None:
    telephone, _ = await enrolled(world, customer)
    refused(await world.anyone.post("/users/second-factor", credentials(customer)), 409, "second_factor_exists")
    code = telephone.code()
    for body, expected in (
        ({**credentials(customer, code=code), "password": "wrong horse"}, "invalid_credentials"),
        (credentials(customer, code=telephone.code(steps=9)), "second_factor_invalid"),
    ):
        refused(await world.anyone.post("/users/second-factor/disable", body), 401, expected)
    done = await world.anyone.post("/users/second-factor/disable", credentials(customer, code=code))
    assert done.status_code == 204
    ok(await world.anyone.post("/users/login", credentials(customer)))
    again, _ = await enrolled(world, customer)
    assert again.totp.secret != telephone.totp.secret
    actions = [action for action, _ in await actions_of(world, customer) if action.startswith("second_factor")]
    assert actions == ["second_factor.enabled", "second_factor.disabled", "second_factor.enabled"]


async def test_operators_who_need_one_neither_log_in_nor_refresh_without_and_may_enrol(
    world: World, operator: Person, customer: Person
) -> None:
    access = world.gateway.access
    needed = replace(access, limits=replace(access.limits, operators_need_second_factor=True))
    gateway = replace(world.gateway, access=needed, second_factors=replace(world.gateway.second_factors, access=needed))
    async with open_world(like=world, changed=lambda _: gateway) as strict:
        refused(await strict.anyone.post("/users/login", credentials(operator)), 403, "second_factor_missing")
        body = {"refresh_token": operator.refresh_token}
        refused(await strict.anyone.post("/users/refresh", body), 403, "second_factor_missing")
        ok(await strict.anyone.post("/users/login", credentials(customer)))
        telephone, _ = await enrolled(replace(strict, clock=world.clock), operator)
        tokens = ok(await strict.anyone.post("/users/login", credentials(operator, code=telephone.code())))
        ok(await strict.anyone.post("/users/refresh", {"refresh_token": tokens["refresh_token"]}))


async def test_an_operator_resets_what_somebody_has_lost(world: World, customer: Person) -> None:
    await enrolled(world, customer)
    factors = world.gateway.second_factors
    user_id = (await world.gateway.access.authenticate(str(customer.api.token))).user_id
    assert await factors.is_enabled(user_id)
    assert await factors.recovery_codes_left(user_id) == 10
    assert [await factors.reset(user_id, reason="A lost telephone") for _ in range(2)] == [True, False]
    assert not await factors.is_enabled(user_id)
    assert await factors.recovery_codes_left(user_id) is None
    refused(await customer.api.get("/users/me"), 401, "token_revoked")
    refused(await world.anyone.post("/users/refresh", {"refresh_token": customer.refresh_token}), 401, "token_revoked")
    ok(await world.anyone.post("/users/login", credentials(customer)))
    operator = await world.operator()
    [record] = ok(await operator.api.get("/audit", action="second_factor.reset"))["data"]
    assert (record["object_id"], record["reason"]) == (customer.id, "A lost telephone")


async def test_a_reset_without_a_second_factor_ends_the_sessions_too(world: World, customer: Person) -> None:
    """It may be the repetition of one whose answer was lost. One that was never confirmed has no codes left."""
    factors, user_id = world.gateway.second_factors, UserId(customer.id)
    assert not await factors.reset(user_id, reason="A lost telephone")
    refused(await customer.api.get("/users/me"), 401, "token_revoked")
    created(await world.anyone.post("/users/second-factor", credentials(customer)))
    assert await factors.recovery_codes_left(user_id) is None
