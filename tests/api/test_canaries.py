"""Secrets that callers give, or are given once, are nowhere else: no log, audit record, event, answer or table."""

import io
import logging
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, get_args

import httpx
import msgspec
import pyotp
import pytest

from gateway.adapters.http.operations import Operation
from gateway.adapters.sql import migrate, open_sql_storage
from gateway.application.access.recovery_codes import RECOVERY_CODES
from gateway.entrypoints.access_lines import access_lines
from support.api_client import Api, Json, World, created, fresh_email, ok, open_world
from support.every_operation import EVERY_OPERATION, Everybody, key_for, path_of

CARD: Final = "4111 1111 1111 1111"
CARDS: Final = (CARD, CARD.replace(" ", ""))
SECRET_FIELDS: Final = {"password", "current_password", "new_password", "code", "refresh_token", "token"}
PLAIN_FIELDS: Final = {
    *("account_id", "capture", "currency", "customer_id", "description", "email", "endpoint_id", "events"),
    *(
        "expires_at",
        "external_id",
        "from",
        "from_currency",
        "idempotency_key",
        "merchant_id",
        "mode",
        "name",
        "quote_id",
        "rate",
    ),
    *("reason", "reference", "role", "scopes", "to", "to_currency", "url", "metadata"),
}
"""Fields of texts that hold no secret. A new field of texts is put here or into `SECRET_FIELDS`."""
GIVEN_ONCE: Final = {"access_token", "refresh_token", "secret", "otpauth_uri", "recovery_codes", "invitation_token"}
"""Fields of answers that hold secrets. Each is in the one answer that gives it."""
KEPT: Final = r"whsec_[\w+/=]{32,}|[A-Z2-7]{32}"
KEPT_IN: Final = {"webhook_endpoints", "second_factors", "answers"}
"""The tables of secrets that cannot be hashed: those that messages are signed with, and codes are checked with.

The answer that shows a webhook secret is kept for repetitions; SECURITY.md says so.
"""


def fields_of_texts(kind: Any) -> Iterator[str]:
    """The names of all fields of a body that may hold a text, also within objects and lists."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for each in msgspec.structs.fields(kind):
            yield from ([each.encode_name] if has_text(each.type) else [])
            yield from fields_of_texts(each.type)
    for inner in get_args(kind):
        yield from fields_of_texts(inner)


def has_text(kind: Any) -> bool:
    if isinstance(kind, type):
        return issubclass(kind, str)
    return any(has_text(inner) for inner in get_args(kind))


def test_every_field_of_texts_is_known_to_hold_a_secret_or_none() -> None:
    found = {name for operation in EVERY_OPERATION for name in fields_of_texts(operation.body)}
    assert found - PLAIN_FIELDS == SECRET_FIELDS
    assert found >= SECRET_FIELDS


def secrets_in(answer: Any) -> Iterator[str]:
    """What an answer gives once."""
    if isinstance(answer, list):
        for each in answer:
            yield from secrets_in(each)
    elif isinstance(answer, dict):
        for name, value in answer.items():
            if name in GIVEN_ONCE:
                yield from [value] if isinstance(value, str) else value
            else:
                yield from secrets_in(value)


class Watched:
    """Callers, whose secrets are looked for in every answer that they are sent."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.secrets: dict[str, str] = {}
        """Each with the operation where it was planted or given."""
        self.planted: set[tuple[str, str]] = set()
        self.answers = 0
        self._number = 0
        http.event_hooks["response"].append(self._look)

    def canary(self, operation: str, field: str) -> str:
        """A secret that nobody else has, for a field."""
        self._number += 1
        self.planted.add((operation, field))
        secret = f"canary{self._number:04}x7f3a9d"
        self.secrets[secret] = f"{operation} {field}"
        return secret

    async def _look(self, response: httpx.Response) -> None:
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            return
        await response.aread()
        self.answers += 1
        shown = f"{response.text} {response.headers}"
        assert self.found(shown) == []
        if response.status_code < 300 and response.content:
            self.secrets |= dict.fromkeys(secrets_in(response.json()), str(response.request.url))

    def found(self, text: str) -> list[str]:
        """Where the secrets that stand in a text come from."""
        return [where for secret, where in self.secrets.items() if secret in text] + [
            "card" for card in CARDS if card in text
        ]


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
async def world(file: Path, log: io.StringIO) -> AsyncIterator[World]:
    await migrate(f"sqlite:///{file}")
    write, write_plain = access_lines(log, as_json=True), access_lines(log, as_json=False)

    def both(entry: Any) -> None:
        write(entry)
        write_plain(entry)

    async with (
        open_sql_storage(f"sqlite:///{file}") as storage,
        open_world(storage=storage, access_log=both) as world,
    ):
        yield world


async def test_no_secret_is_anywhere_but_in_the_answer_that_gives_it(
    world: World, log: io.StringIO, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "gateway")
    caplog.set_level(logging.INFO)
    watched = Watched(world.anyone.http)
    await lives(world, watched)
    everybody = Everybody(
        world=world, customer=await world.customer(), merchant=await world.merchant(), operator=await world.operator()
    )
    for operation in EVERY_OPERATION:
        await walk(operation, everybody, watched)

    assert watched.planted >= {
        (operation.path, field)
        for operation in EVERY_OPERATION
        for field in {*fields_of_texts(operation.body)} & SECRET_FIELDS
    }
    assert watched.planted >= {(operation.path, "authorization") for operation in EVERY_OPERATION}
    assert watched.answers > 2 * len(EVERY_OPERATION)
    logged = log.getvalue() + "".join(str(vars(each)) for each in caplog.records if each.name != "httpx")
    assert watched.found(logged) == []
    events = "".join(event.data.decode() for event in await world.gateway.events.read(limit=1_000))
    assert watched.found(events) == []
    texts = texts_of_tables(file)
    kept = {each for each in watched.secrets if any(each in texts[table] for table in KEPT_IN)}
    assert all(re.fullmatch(KEPT, each) for each in kept)
    assert len(kept) >= len(KEPT_IN)
    for table, text in texts.items():
        left = kept if table in KEPT_IN else set()
        assert [where for secret, where in watched.secrets.items() if secret in text and secret not in left] == [], (
            table
        )
        assert [card for card in CARDS if card in text] == [], table
    raw = b"".join(each.read_bytes() for each in file.parent.glob(f"{file.name}*"))
    assert [where for secret, where in watched.secrets.items() if secret not in kept and secret.encode() in raw] == []
    assert [card for card in CARDS if card.encode() in raw] == []


async def lives(world: World, watched: Watched) -> None:
    """Secrets that are taken: people who choose them, and use them."""
    email, anyone = fresh_email(), world.anyone
    password = watched.canary("/users/register", "password")
    created(await anyone.post("/users/register", {"email": email, "password": password, "role": "merchant"}))
    known = {"email": email, "password": password}
    tokens = ok(await anyone.post("/users/login", known))
    api = anyone.with_token(tokens["access_token"])
    new = watched.canary("/users/me/password", "new_password")
    assert (
        await api.post("/users/me/password", {"current_password": password, "new_password": new})
    ).status_code == 204
    known["password"] = new
    api = anyone.with_token(ok(await anyone.post("/users/login", known))["access_token"])
    totp = created(await anyone.post("/users/second-factor", known))
    wrong = known | {"code": watched.canary("/users/second-factor/confirm", "code")}
    await anyone.post("/users/second-factor/confirm", wrong)
    world.clock.advance(3600)
    codes = ok(
        await anyone.post(
            "/users/second-factor/confirm", known | {"code": pyotp.TOTP(totp["secret"]).at(world.clock())}
        )
    )["recovery_codes"]
    assert len(codes) == RECOVERY_CODES
    tokens = ok(await anyone.post("/users/login", known | {"code": codes[0]}))
    tokens = ok(await anyone.post("/users/refresh", {"refresh_token": tokens["refresh_token"]}))
    api = anyone.with_token(tokens["access_token"])
    key = created(await api.post("/api-keys", {"name": "Till", "scopes": ["payments:read"]}))
    ok(await anyone.with_token(key["secret"]).get("/payments"))
    created(await api.post(f"/api-keys/{key['id']}/rotate", {}))
    member = created(await api.post("/members", {"email": fresh_email(), "role": "viewer"}))
    chosen = watched.canary("/invitations/register", "password")
    created(await anyone.post("/invitations/register", {"token": member["invitation_token"], "password": chosen}))
    customer = created(await api.post("/customers", {"name": "Ada"}))
    invited = created(await api.post(f"/customers/{customer['id']}/invitations", {}))
    chosen = watched.canary("/customers/accept-invitation", "password")
    accept: Json = {"token": invited["token"]}
    answer = await anyone.post("/customers/accept-invitation", accept | {"email": fresh_email(), "password": chosen})
    assert answer.status_code in {200, 201}, answer.text
    endpoint = created(await api.post("/webhook-endpoints", {"url": "https://shop.example/hooks", "events": ["*"]}))
    ok(await api.post(f"/webhook-endpoints/{endpoint['id']}/rotate-secret"))
    await api.post(f"/webhook-endpoints/{endpoint['id']}/test")


async def walk(operation: Operation[Any, Any], everybody: Everybody, watched: Watched) -> None:
    """One operation, with secrets and card numbers in every field that takes a text."""
    api, path = everybody.who_may(operation), path_of(operation)
    stranger = api.with_token(watched.canary(operation.path, "authorization"))
    await send(stranger, operation, path, dict(operation.example))
    if operation.body is None:
        return
    texts = set(fields_of_texts(operation.body))
    planted = {name: watched.canary(operation.path, name) for name in texts & SECRET_FIELDS}
    cards = {name: CARD for name in operation.example if name in texts - SECRET_FIELDS}
    for body in (planted, cards, planted | cards, {name: [value] for name, value in planted.items()}):
        await send(api, operation, path, dict(operation.example) | body)
    for name in texts & {"reason", "description", "reference", "name"}:
        await send(api, operation, path, dict(operation.example) | {name: CARDS[1]})


async def send(api: Api, operation: Operation[Any, Any], path: str, body: Json) -> None:
    await api.send(operation.method, path, None if operation.body is None else body, key=key_for(operation))


def texts_of_tables(file: Path) -> dict[str, str]:
    """Every row of every table, as a text."""
    with closing(sqlite3.connect(file)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: as_text(connection.execute(f"SELECT * FROM {name}").fetchall()) for name in names}  # noqa: S608 - names of tables.


def as_text(rows: list[Any]) -> str:
    """Bytes as the characters that they are, too."""
    return " ".join(v.decode("latin-1") if isinstance(v, bytes) else str(v) for row in rows for v in row)
