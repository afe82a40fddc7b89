"""Hostile bodies: whatever is sent, the response says what is wrong, and nothing fails."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gateway.adapters.http.decoding import decode_body
from gateway.adapters.http.problems import HttpRefusal
from support.api_client import Api, Json, Person, World, created, fresh_key, ok, refused

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
        "4242  4242  4242  4242",
        "4242 - 4242 - 4242 - 4242",
        "4242\n4242\n4242\n4242",
        "4242/4242/4242/4242",
        "4242,4242,4242,4242",
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


async def test_nothing_of_it_all_was_kept(world: World, operator: Person) -> None:
    await _attack(world.anyone)
    assert ok(await operator.api.get("/payments"))["data"] == []
    created(await world.anyone.post("/users/register", BODIES["/users/register"]))


async def _attack(api: Api) -> None:
    for content in NO_JSON_OBJECTS:
        refused(await api.send("POST", "/users/register", content=content), 400, "validation_error")
