"""Others' objects and missing ones take the same time: nobody learns from it which ids exist."""

import asyncio
import re
from bisect import bisect_left, bisect_right
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from random import Random
from time import perf_counter
from typing import Any, Final

import msgspec
import pytest
from sqlalchemy import Engine, event

from gateway.adapters.http.authorization import TABLE, Objects
from gateway.adapters.http.not_found_steps import STEP_SECONDS
from gateway.adapters.http.operations import AnyOperation, Idempotency
from gateway.adapters.sql import migrate, open_sql_storage
from gateway.domain.user import Role
from support.api_client import Json, Person, World, created, fresh_key, ok, open_world, refused
from support.asgi import ask
from support.every_operation import EVERY_OPERATION

SAMPLES: Final = 150
ENDPOINT: Final[Json] = {"url": "https://shop.example/webhooks", "events": ["payment.*"]}
KEY: Final[Json] = {"name": "Till", "scopes": ["payments:read"]}
SHOWN: Final[dict[str, AnyOperation]] = {
    operation.name: operation
    for operation in EVERY_OPERATION
    if operation.method == "GET" and TABLE[operation.name].missing and TABLE[operation.name].objects is not Objects.ALL
}
"""The operations that show one object, to callers who may see it."""


@dataclass(slots=True)
class Scene:
    """A stranger asks for the objects of others, or for missing ones."""

    world: World
    strangers: Mapping[str, Person]
    others: Mapping[str, str]

    def stranger(self, operation: AnyOperation) -> Person:
        return self.strangers["customer" if "customer" in operation.roles else "merchant"]

    def paths(self, operation: AnyOperation) -> tuple[str, str]:
        """The path of somebody else's object, and of one with an id of the same form that nobody has."""
        found = operation.path
        missing = found
        for name, identifier in self.others.items():
            found = found.replace(f"{{{name}}}", identifier)
            other = identifier[:-1] + ("0" if identifier[-1] != "0" else "1")
            missing = missing.replace(f"{{{name}}}", other)
        return found, missing

    async def asked(self, operation: AnyOperation, path: str) -> tuple[int, str]:
        headers = [(b"authorization", f"Bearer {self.stranger(operation).api.token}".encode())]
        if operation.idempotency is not Idempotency.NONE:
            headers.append((b"idempotency-key", fresh_key().encode()))
        chunks: list[bytes] = []
        if operation.body is not None:
            headers.append((b"content-type", b"application/json"))
            chunks = [msgspec.json.encode(operation.example)]
        answer = await ask(self.world.app, operation.method, path, headers=headers, chunks=chunks)
        return answer.status, answer.json["code"]


@asynccontextmanager
async def a_scene(storage: Any = None) -> AsyncGenerator[Scene]:
    async with open_world(storage=storage) as world:
        customer, merchant = await world.customer(balance=10_000), await world.merchant()
        operator = await world.operator()
        ok(await operator.api.send("PUT", "/rates/USD/EUR", {"rate": "1.1"}))
        paid = await customer.pay(merchant, 100)
        refund = created(await merchant.api.post(f"/payments/{paid['id']}/refunds", {"amount": 1}, key=fresh_key()))
        quote = {"from_currency": "USD", "to_currency": "EUR", "source_amount": 100}
        others = {
            "payment_id": paid["id"],
            "refund_id": refund["id"],
            "quote_id": created(await customer.api.post("/quotes", quote))["id"],
            "account_id": customer.account_id,
            "merchant_id": merchant.id,
            "transaction_id": ok(await merchant.api.get("/transactions"))["data"][0]["id"],
            "event_id": ok(await merchant.api.get("/events", type="payment.*"))["data"][0]["id"],
            "endpoint_id": created(await merchant.api.post("/webhook-endpoints", ENDPOINT))["id"],
            "key_id": created(await customer.api.post("/api-keys", KEY))["id"],
        }
        strangers = {"customer": await world.customer(), "merchant": await world.merchant()}
        yield Scene(world, strangers, others)


@pytest.fixture(scope="module")
async def scene() -> AsyncIterator[Scene]:
    async with a_scene() as opened:
        yield opened


@contextmanager
def heard() -> Iterator[list[str]]:
    """The statements that SQLAlchemy sends meanwhile."""
    statements: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


ACTIONS: Final = [
    operation
    for operation in EVERY_OPERATION
    if "{" in operation.path
    and TABLE[operation.name].missing
    and operation.name != "setFees"
    and operation.roles & {Role.CUSTOMER, Role.MERCHANT}
]
"""Every operation on one object that a customer or a merchant may ask for."""
READ_AGAIN: Final = re.compile(r"revoked_at >=|disabled_at >=")
"""The lists of what has ended lately are read again now and then, by the next request."""
CONDITIONS: Final = re.compile(r"\bWHERE\b.*", re.DOTALL)
"""An account is looked up by its owner and currency, or by an id that nobody has."""
RANKS_APART_MAX: Final = 0.2
"""How far the chance that a missing object takes longer than somebody else's may be from a half. With 150 samples of
each, chance alone comes to 0.033; without steps, a read more that one of them costs comes to 0.4."""


async def test_others_objects_and_missing_ones_take_the_same_statements(empty_url: str) -> None:
    await migrate(empty_url)
    async with open_sql_storage(empty_url) as storage, a_scene(storage) as scene:
        for operation in SHOWN.values():
            sent: list[list[str]] = []
            for path in scene.paths(operation):
                await scene.asked(operation, path)  # What is done once, such as numbering new events, is done then.
                with heard() as statements:
                    answer = await scene.asked(operation, path)
                assert answer == (404, TABLE[operation.name].missing)
                sent.append([CONDITIONS.sub("", each) for each in statements if not READ_AGAIN.search(each)])
            assert sent[0] == sent[1], operation.name


async def test_others_objects_and_missing_ones_take_the_same_time(scene: Scene) -> None:
    """In each round, all kinds are asked for at once. A busy machine is as busy for both; ranks know no outliers."""
    random = Random(1)  # noqa: S311 - it orders requests.
    times: dict[tuple[str, bool], list[float]] = {(name, other): [] for name in SHOWN for other in (True, False)}

    async def sample(name: str, *, is_other: bool) -> None:
        path = scene.paths(SHOWN[name])[0 if is_other else 1]
        began = perf_counter()
        answer = await scene.asked(SHOWN[name], path)
        times[name, is_other].append(perf_counter() - began)
        assert answer == (404, TABLE[name].missing)

    for _ in range(SAMPLES):
        order = random.sample(list(times), len(times))
        await asyncio.gather(*(sample(name, is_other=is_other) for name, is_other in order))
    assert min(taken for each in times.values() for taken in each) >= STEP_SECONDS
    for name in SHOWN:
        apart = chance_of_longer(times[name, True], times[name, False]) - 0.5
        assert abs(apart) <= RANKS_APART_MAX, name


@pytest.mark.parametrize("name", ["getPayment", "capturePayment", "revokeApiKey"])
async def test_a_404_is_sent_at_a_whole_step_since_the_request_began(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """However long the look-up takes: 0.2 steps or 3.7."""
    operation = {each.name: each for each in ACTIONS}[name]
    now, taken, waits = 1_000.0, 0.0, list[float]()

    def passing() -> float:
        nonlocal now
        now += taken
        return now

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("gateway.adapters.http.not_found_steps.time.perf_counter", passing)
    monkeypatch.setattr("gateway.adapters.http.not_found_steps.asyncio.sleep", wait)
    for steps in (0.2, 3.7):
        taken = steps * STEP_SECONDS
        for path in scene.paths(operation):
            assert (await scene.asked(operation, path))[0] == 404
    assert waits == pytest.approx([0.8 * STEP_SECONDS] * 2 + [0.3 * STEP_SECONDS] * 2)


async def test_other_answers_do_not_wait(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async def wait(_: float) -> None:
        pytest.fail("It waits.")

    monkeypatch.setattr("gateway.adapters.http.not_found_steps.asyncio.sleep", wait)
    stranger = scene.strangers["customer"]
    ok(await stranger.api.get(f"/accounts/{stranger.account_id}"))
    refused(await stranger.api.get("/nothing"), 404, "not_found")
    refused(await scene.world.anyone.get("/accounts/acc_1"), 401, "token_missing")


def chance_of_longer(first: Sequence[float], second: Sequence[float]) -> float:
    """The chance that one of `second` is longer than one of `first`: the statistic of Mann and Whitney."""
    ordered = sorted(first)
    below = sum(bisect_left(ordered, each) + bisect_right(ordered, each) for each in second)
    return below / (2 * len(first) * len(second))


def test_the_statistic_tells_a_shift_from_none() -> None:
    random = Random(2)  # noqa: S311 - as above.
    alike = [[round(random.gauss(100, 10)) for _ in range(1_000)] for _ in range(2)]
    assert abs(chance_of_longer(*alike) - 0.5) < RANKS_APART_MAX / 2
    assert chance_of_longer(alike[0], [each + 20 for each in alike[1]]) > 0.5 + 2 * RANKS_APART_MAX
    assert (chance_of_longer([1, 2], [3, 4]), chance_of_longer([3, 4], [1, 2]), chance_of_longer([1], [1])) == (
        1,
        0,
        0.5,
    )
