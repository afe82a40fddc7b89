"""Ten thousand forged and broken tokens and keys, on five routes: none is accepted, and none breaks anything."""

import base64
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

import pytest

from gateway.application.access.api_key_format import DIGITS, ApiKeyFormat, new_key_secret
from gateway.domain.api_key import ApiKeyId
from gateway.domain.scope import SCOPES_OF_ROLE
from gateway.domain.user import Role, UserId
from support.api_client import Json, Person, World
from support.asgi import ask

CREDENTIALS: Final = 10_000
ROUTES: Final = (
    ("GET", "/payments"),
    ("POST", "/payments"),
    ("GET", "/users/me"),
    ("POST", "/api-keys"),
    ("GET", "/ledger/invariants"),
)
REFUSALS: Final = {"token_missing", "token_invalid", "token_expired", "token_revoked", "api_key_invalid"}

Forgery = Callable[[Random, str], str]


def with_another_character(random: Random, text: str) -> str:
    place = random.randrange(len(text))
    other = random.choice([each for each in DIGITS + "_-." if each != text[place]])
    return text[:place] + other + text[place + 1 :]


def cut_off(random: Random, text: str) -> str:
    return text[: random.randrange(len(text))]


def doubled(random: Random, text: str) -> str:
    return text + text[random.randrange(len(text)) :] + random.choice(DIGITS)


def of_any_bytes(random: Random, _text: str) -> str:
    return random.randbytes(random.randrange(1, 200)).replace(b"\n", b"").decode("latin-1")


def with_another_secret(_random: Random, text: str) -> str:
    """A key in the right form, with the id of a key that exists."""
    _, _, key_id, _ = text.split("_") if text.startswith("gk_") else ("gk", "test", "0" * 26, "")
    return ApiKeyFormat().write(ApiKeyId(f"key_{key_id}"), new_key_secret())


def unsigned(random: Random, _text: str) -> str:
    """A token that says that it needs no signature, or has one of another algorithm."""
    header = {"alg": random.choice(["none", "HS256", "ES256", "", None]), "typ": "at+jwt", "kid": "x"}
    claims: Json = {
        "sub": "usr_1",
        "role": "operator",
        "exp": random.choice([9e99, None, "x", 4_000_000_000]),
        "iss": [],
    }
    parts = [json.dumps(part).encode() for part in (header, claims)]
    encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, random.choice(["", "AAAA", "=", "e30"])])


FORGERIES: Final[tuple[Forgery, ...]] = (
    with_another_character,
    cut_off,
    doubled,
    of_any_bytes,
    with_another_secret,
    unsigned,
)


def forged(random: Random, true: list[str]) -> Iterator[str]:
    """So many credentials that nobody was given."""
    known = set(true)
    count = 0
    while count < CREDENTIALS:
        text = random.choice(FORGERIES)(random, random.choice(true))
        if text.strip() not in known:
            count += 1
            yield text


@pytest.fixture
async def true_ones(world: World, operator: Person) -> list[str]:
    """Two keys and a token of an operator, who may call all routes but one."""
    keys = [
        await world.gateway.api_keys.create(
            owner_id=UserId(operator.id), name="Feed", scopes=sorted(SCOPES_OF_ROLE[Role.OPERATOR])
        )
        for _ in range(2)
    ]
    return [*(key.text for key in keys), str(operator.api.token)]


async def test_no_forged_token_or_key_is_accepted(world: World, true_ones: list[str]) -> None:
    for text in true_ones:
        assert (await world.anyone.with_token(text).get("/ledger/invariants")).status_code == 200
    random = Random(20_301_102)  # noqa: S311 - it draws requests.
    answered: set[str] = set()
    for number, text in enumerate(forged(random, true_ones)):
        method, path = ROUTES[number % len(ROUTES)]
        headers = [(b"authorization", b"Bearer " + text.encode("latin-1"))]
        answer = await ask(world.app, method, path, headers=headers)
        assert answer.status == 401, (text, answer.json)
        answered.add(answer.json["code"])
    assert {"token_invalid", "api_key_invalid"} <= answered <= REFUSALS
    for text in true_ones:
        assert (await world.anyone.with_token(text).get("/ledger/invariants")).status_code == 200
