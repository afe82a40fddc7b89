"""Hostile input: whatever is sent, the answer is a refusal that says what is wrong, and never a failure."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jose import jws  # type: ignore[import-untyped]  # python-jose ships no types.

from gateway.adapters.http.decoding import decode_body
from gateway.adapters.http.problems import HttpRefusal
from gateway.adapters.jose.keys import generate_pem, signing_key_from_pem
from support.api_client import Api, Json, Person, World, created, fresh_key, ok, refused
from support.asgi import ask

REFRESH: Json = {"refresh_token": "rt_" + "0" * 64}
BODIES: dict[str, Json] = {
    "/users/register": {"email": "ada@example.com", "password": "correct horse battery", "role": "customer"},
    "/users/login": {"email": "ada@example.com", "password": "correct horse battery"},
    "/users/refresh": REFRESH,
    "/users/logout": REFRESH,
    "/users/me/password": {"current_password": "correct horse battery", "new_password": "a longer and better one"},
    "/accounts": {"currency": "EUR"},
    "/deposits": {"account_id": "acc_1", "amount": 10, "currency": "USD"},
    "/payments": {"merchant_id": "usr_1", "amount": 10, "currency": "USD"},
    "/transactions": {"merchant_id": "usr_1", "amount": 10, "currency": "USD"},
}
"""A body for each operation that takes one."""

every_path = pytest.mark.parametrize("path", BODIES)

NO_JSON_OBJECTS = [
    b"",
    b" ",
    b"{",
    b"}",
    b"{}{}",
    b"null",
    b"true",
    b"1",
    b'"text"',
    b"[]",
    b"[{}]",
    b"NaN",
    b"{'a': 1}",
    b"{a: 1}",
    b'{"a": NaN}',
    b'{"a": Infinity}',
    b'{"a": 1,}',
    b'{"a": 01}',
    b'{"a": .5}',
    b'{"a": 1} // why',
    b"\x00",
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b'{"\xff": 1}',
    b'{"a": "\xff"}',
    b'{"a": "\xed\xa0\x80"}',
    b'{"a": "\xc0\x80"}',
    b'{"a": "\\ud800"}',
    b'{"a": "\\udc00\\ud800"}',
    b'{"\\ud800": 1}',
    b'{"a": "\x00"}',
    b'{"a": "\n"}',
    b'{"a": "\\x00"}',
    b'{"a": "' + b"\\u0000" * 100 + b'"}',
    b"[" * 10_000,
    b'{"a":' * 10_000,
    b"[" * 10_000 + b"]" * 10_000,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    b'{"a":' + b"9" * 10_000 + b"}",
    b'{"a": 1e999999}',
    b"<xml/>",
    b"a=1&b=2",
]


@every_path
async def test_what_is_no_json_object_is_refused(quiet_customer: Person, path: str) -> None:
    for content in NO_JSON_OBJECTS:
        answer = await quiet_customer.api.send("POST", path, content=content, key=fresh_key())
        assert refused(answer, 400, "validation_error")["errors"], content[:40]
    assert await quiet_customer.available() == 100_000


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_even_a_form_that_takes_anything_is_not_nested_without_end(opening: bytes) -> None:
    with pytest.raises(HttpRefusal) as refusal:
        decode_body(opening * 100_000, msgspec.json.Decoder())
    assert refusal.value.facts["errors"][0]["code"] == "json_too_deep"


@every_path
async def test_a_megabyte_is_too_large(quiet_customer: Person, path: str) -> None:
    for content in (b" " * 2**20, b"[" * 2**20, b'{"a":"' + b"x" * 2**20 + b'"}'):
        refused(await quiet_customer.api.send("POST", path, content=content, key=fresh_key()), 413, "body_too_large")


WRONG_FOR_TEXT: list[Any] = [1, 1.5, True, None, [], {}, ["x"], "x\x00y", "x" * 60_000]
WRONG_FOR_INTEGERS = [
    "1.0",
    "1.5",
    "1e2",
    "0.9999999999999999999",
    '"10"',
    '"1e3"',
    "true",
    "null",
    "[]",
    "{}",
    "[10]",
    "0",
    "-0",
    "-1",
    "1000000000000",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "1" + "0" * 30,
    "-1" + "0" * 30,
    "1e400",
    "NaN",
    "-Infinity",
]


def fields_of_text() -> Iterator[tuple[str, str]]:
    for path, body in BODIES.items():
        yield from ((path, name) for name, value in body.items() if isinstance(value, str))
    yield from (("/users/register", name) for name in ("name", "currency"))
    yield from ((path, "description") for path in ("/payments", "/transactions"))
    yield from (("/payments", name) for name in ("reference", "capture"))
    yield ("/deposits", "reference")


@pytest.mark.parametrize(("path", "field"), list(fields_of_text()))
async def test_a_field_of_text_takes_nothing_else_and_says_where(quiet_customer: Person, path: str, field: str) -> None:
    for wrong in WRONG_FOR_TEXT:
        if wrong is None and field not in BODIES[path]:
            continue  # An optional field: null is the same as not given.
        problem = refused(
            await quiet_customer.api.post(path, {**BODIES[path], field: wrong}, key=fresh_key()),
            400,
            "validation_error",
        )
        assert [error["pointer"] for error in problem["errors"]] == [f"/{field}"], wrong


@pytest.mark.parametrize("path", ["/deposits", "/payments", "/transactions"])
async def test_an_amount_is_a_whole_number_within_bounds_and_nothing_else(quiet_customer: Person, path: str) -> None:
    rest = json.dumps({name: value for name, value in BODIES[path].items() if name != "amount"})
    for wrong in WRONG_FOR_INTEGERS:
        content = f'{rest[:-1]}, "amount": {wrong}}}'.encode()
        answer = await quiet_customer.api.send("POST", path, content=content, key=fresh_key())
        [error] = refused(answer, 400, "validation_error")["errors"]
        assert error["pointer"] == ("" if error["code"] == "json_malformed" else "/amount"), wrong
    assert await quiet_customer.available() == 100_000


@every_path
async def test_a_field_that_is_missing_or_unknown_is_named(quiet_customer: Person, path: str) -> None:
    for field in BODIES[path]:
        body = {name: value for name, value in BODIES[path].items() if name != field}
        problem = refused(await quiet_customer.api.post(path, body, key=fresh_key()), 400, "validation_error")
        assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [(f"/{field}", "field_missing")]
    for name, pointer in (
        ("bogus", "/bogus"),
        ("a/b", "/a~1b"),
        ("a~b", "/a~0b"),
        ("", "/"),
        ("é", "/é"),
        ("__class__", "/__class__"),
    ):
        problem = refused(
            await quiet_customer.api.post(path, {**BODIES[path], name: 1}, key=fresh_key()), 400, "validation_error"
        )
        assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [(pointer, "field_unknown")]


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        "text",
        1,
        {"k": 1},
        {"k": None},
        {"k": True},
        {"k": {}},
        {"": "v"},
        {"k" * 41: "v"},
        {"k": "v" * 501},
        {"k\x00": "v"},
        {"k": "v\x00"},
        {str(number): "v" for number in range(51)},
        {"card": "4242424242424242"},
        {"4242 4242 4242 4242": "card"},
    ],
)
async def test_metadata_is_a_few_short_texts(quiet_customer: Person, metadata: object) -> None:
    body = {**BODIES["/payments"], "metadata": metadata}
    problem = refused(await quiet_customer.api.post("/payments", body, key=fresh_key()), 400, "validation_error")
    [error] = problem["errors"]
    assert error["pointer"].startswith("/metadata")
    assert "`$" not in error["detail"]


async def test_all_that_the_limits_allow_is_taken_and_shown_as_it_was(customer: Person, merchant: Person) -> None:
    free: Json = {
        "reference": "r" * 64,
        "description": "Ünïcödé 🧾 " * 50,
        "metadata": {f"{number:040}": "é" * 500 for number in range(50)},
    }
    payment = await customer.pay(merchant, 10, **free)
    shown = ok(await merchant.api.get(f"/payments/{payment['id']}"))
    assert {name: shown[name] for name in free} == free


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424242",
        "pay with 4242 4242 4242 4242, please",
        "5555-5555-5555-4444",
        "378282246310005",
        "6011111111111117",
        "é4242424242424242",
    ],
)
async def test_card_numbers_are_refused_however_they_are_written(quiet_customer: Person, text: str) -> None:
    body = {**BODIES["/payments"], "description": text}
    for content in (json.dumps(body), json.dumps(body).replace("4", "\\u0034")):
        answer = await quiet_customer.api.send("POST", "/payments", content=content.encode(), key=fresh_key())
        [error] = refused(answer, 400, "validation_error")["errors"]
        assert (error["pointer"], error["code"]) == ("/description", "card_number")
        assert text not in answer.text


@pytest.mark.parametrize("text", ["4242424242424241", "order 1234567890123456", "+44 20 7946 0958", "1" * 30])
async def test_other_numbers_are_not_taken_for_cards(customer: Person, merchant: Person, text: str) -> None:
    await customer.pay(merchant, 1, description=text)


HOSTILE_IDS = [
    "%00",
    "acc_%00",
    "%FF",
    "%ED%A0%80",
    "a%2Fb",
    "..",
    "%2e%2e%2f",
    "'; DROP TABLE accounts; --",
    "%",
    "{id}",
    "{account_id}",
    "🙈",
    "x" * 8000,
    "acc_01kc3x0m5fe7v8qj2r4n6p9stb%20",
    "\\",
    "acc;v=1",
    "*",
]


@pytest.mark.parametrize("hostile", HOSTILE_IDS)
async def test_an_id_that_cannot_be_is_not_found(quiet_operator: Person, hostile: str) -> None:
    for method, path in (
        ("GET", "/accounts/{}"),
        ("POST", "/accounts/{}/freeze"),
        ("POST", "/accounts/{}/unfreeze"),
        ("GET", "/payments/{}"),
        ("GET", "/transactions/{}"),
    ):
        answer = await quiet_operator.api.send(method, path.format(hostile))
        if answer.request.url.path == "/":  # Clients take ".." away before they send: this is another path.
            continue
        assert answer.status_code in {404, 405}, answer.text
        assert answer.json()["code"] in {
            "not_found",
            "account_not_found",
            "payment_not_found",
            "transaction_not_found",
            "method_not_allowed",
        }


@pytest.mark.parametrize("path", ["\x00", "/\x00", "///payments///x", "/ payments", "payments"])
async def test_a_path_that_no_server_should_hand_over_is_refused_all_the_same(quiet_world: World, path: str) -> None:
    answer = await ask(quiet_world.app, "GET", path)
    assert 400 <= answer.status < 500


async def test_an_id_with_a_nul_never_reaches_the_storage(operator: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    async def find(*_: object) -> None:
        raise AssertionError("The storage was asked.")

    monkeypatch.setattr("gateway.adapters.memory.reader.MemoryReader.account", find)
    refused(await operator.api.get("/accounts/acc_%00"), 404, "not_found")
    refused(await operator.api.get("/accounts?owner_id=usr_%00"), 400, "validation_error")


HOSTILE_HEADERS = [
    b"",
    b" ",
    b"\x00",
    b"\xff" * 100,
    b"x" * 20_000,
    "é".encode(),
    b"a,b",
    b"\r\nx: y",
    b"=?utf-8?q?x?=",
]


@pytest.mark.parametrize("name", [b"authorization", b"idempotency-key", b"content-type", b"content-length"])
async def test_no_bytes_in_a_header_break_anything(quiet_world: World, quiet_customer: Person, name: bytes) -> None:
    usual = {
        b"authorization": f"Bearer {quiet_customer.api.token}".encode(),
        b"idempotency-key": b"key",
        b"content-type": b"application/json",
    }
    for value in (*HOSTILE_HEADERS, b"Bearer", b"Bearer " + b"\xff" * 10, b"bearer  x", b"-1", b"9" * 10_000):
        answer = await ask(
            quiet_world.app,
            "POST",
            "/payments",
            headers=[*({**usual, name: value}).items()],
            chunks=[b'{"amount":1.5}'],
        )
        assert 400 <= answer.status < 500, value
        assert answer.headers[b"content-type"] == b"application/problem+json"


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class Forge:
    """Makes tokens as a stranger would, and as we would if we made mistakes."""

    def __init__(self, world: World, customer: Person) -> None:
        assert customer.api.token is not None
        self.good = customer.api.token
        header, claims, self.signature = self.good.split(".")
        self.header: Json = json.loads(base64.urlsafe_b64decode(header + "=="))
        self.claims: Json = json.loads(base64.urlsafe_b64decode(claims + "=="))
        self._own: Any = vars(world.gateway.tokens)["_signer"]

    def signed(self, claims: Json, header: Json | None = None, *, by: Any = None) -> str:
        """A token that is right but for what is given; `...` leaves a claim or a header out."""
        all_claims = {name: value for name, value in {**self.claims, **claims}.items() if value is not ...}
        headers = {name: value for name, value in {**self.header, **(header or {})}.items() if value is not ...}
        content = f"{base64url(json.dumps(headers).encode())}.{base64url(json.dumps(all_claims).encode())}"
        signature = (by or self._own).sign(content.encode())
        return f"{content}.{base64url(signature)}"

    def broken(self) -> Iterator[tuple[str, str]]:
        header, claims, signature = self.good.split(".")
        now = self.claims["iat"]
        stranger = signing_key_from_pem(generate_pem()).signer
        unsigned = base64url(json.dumps({**self.header, "alg": "none"}).encode())
        yield "empty", ""
        yield "text", "nonsense"
        yield "two segments", f"{header}.{claims}"
        yield "four segments", f"{self.good}.{signature}"
        yield "no signature", f"{header}.{claims}."
        yield "alg none", f"{unsigned}.{claims}."
        yield "alg none with a signature", f"{unsigned}.{claims}.{signature}"
        yield "alg HS256 with the public key", self._confused()
        yield "signed by a stranger", self.signed({}, by=stranger)
        yield (
            "other claims",
            f"{header}.{base64url(json.dumps({**self.claims, 'role': 'operator'}).encode())}.{signature}",
        )
        yield "padding", f"{header}.{claims}.{signature}=="
        yield "trailing junk", f"{header}.{claims}.{signature}*"
        yield "another spelling", f"{header}.{claims}.{signature[:-1]}{_sibling(signature[-1])}"
        yield "not ASCII", self.good + "é"
        yield "white space inside", f"{header} .{claims}.{signature}"
        yield "5 KiB", f"{header}.{'A' * 5000}.{signature}"
        yield "nested", f"{base64url(b'[' * 1000)}.{claims}.{signature}"
        yield "no typ", self.signed({}, {"typ": ...})
        yield "typ JWT", self.signed({}, {"typ": "JWT"})
        yield "no kid", self.signed({}, {"kid": ...})
        yield "another kid", self.signed({}, {"kid": "other"})
        yield "kid of another type", self.signed({}, {"kid": ["x"]})
        yield "crit", self.signed({}, {"crit": ["exp"]})
        yield "a jku", self.signed({}, {"jku": "https://evil.example/keys"})
        for claim in ("iss", "aud", "sub", "iat", "exp", "jti", "role"):
            yield f"no {claim}", self.signed({claim: ...})
            yield f"{claim} null", self.signed({claim: None})
            yield f"{claim} a list", self.signed({claim: [self.claims[claim]]})
        for claim in ("iat", "exp", "nbf"):
            yield f"{claim} a float", self.signed({claim: now + 60.5})
            yield f"{claim} text", self.signed({claim: str(now + 60)})
            yield f"{claim} infinite", self.signed({claim: float("inf")})
            yield f"{claim} true", self.signed({claim: True})
            yield f"{claim} huge", self.signed({claim: 10**30})
        yield "of another issuer", self.signed({"iss": "somebody"})
        yield "for somebody else", self.signed({"aud": "somebody"})
        yield "for several", self.signed({"aud": ["gateway", "somebody"]})
        yield "from the future", self.signed({"iat": now + 60, "exp": now + 600})
        yield "not valid yet", self.signed({"nbf": now + 60})
        yield "living for a year", self.signed({"exp": now + 365 * 86_400})
        yield "ending before it began", self.signed({"exp": now - 1, "iat": now})

    def _confused(self) -> str:
        key = json.dumps(dict(self.header)).encode()
        token: str = jws.sign(self.claims, key, headers={"typ": "at+jwt", "kid": self.header["kid"]}, algorithm="HS256")
        return token


def _sibling(character: str) -> str:
    """A character of base64 that differs in the lowest bit, which the last one of a signature does not use."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(character) ^ 1]


async def test_a_broken_token_is_invalid_however_it_is_broken(world: World, customer: Person) -> None:
    forge = Forge(world, customer)
    ok(await world.anyone.with_token(forge.signed({"jti": "ses_x.1"})).get("/payments"))
    for what, token in forge.broken():
        answer = await world.anyone.send("GET", "/users/me", headers={"authorization": f"Bearer {token}".encode()})
        assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid"), what


async def test_an_expired_token_of_ours_says_that_it_has_expired(world: World, customer: Person) -> None:
    forge = Forge(world, customer)
    now = forge.claims["iat"]
    api = world.anyone.with_token(forge.signed({"iat": now - 100, "exp": now}))
    refused(await api.get("/users/me"), 401, "token_expired")


@pytest.mark.parametrize("scheme", ["Basic", "Token", "bearer", "BEARER", "Bearer  ", ""])
async def test_the_scheme_is_bearer_in_any_case(quiet_world: World, quiet_customer: Person, scheme: str) -> None:
    credentials = f"{scheme} {quiet_customer.api.token}".strip()
    answer = await quiet_world.anyone.send("GET", "/users/me", headers={"authorization": credentials})
    if scheme.strip().lower() == "bearer":
        ok(answer)
    else:
        refused(answer, 401, "token_invalid")


async def test_nothing_of_it_all_was_kept(world: World, operator: Person) -> None:
    await _attack(world.anyone)
    assert ok(await operator.api.get("/payments"))["data"] == []
    created(await world.anyone.post("/users/register", BODIES["/users/register"]))


async def _attack(api: Api) -> None:
    for content in NO_JSON_OBJECTS:
        refused(await api.send("POST", "/users/register", content=content), 400, "validation_error")
