"""Large bodies: bounded in bytes, decoded in turns; a caller with too much waiting is told when to come back."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import httpx
import msgspec
import pytest

from gateway.adapters.http import HttpLimits, LargeBodyLimits
from gateway.adapters.http.bodies import decode_large_body
from gateway.adapters.http.decoding import decode_body
from gateway.adapters.http.large_bodies import LargeBodies
from gateway.adapters.http.problems import HttpRefusal
from gateway.adapters.http.resources.payment_batches import BatchBody
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.errors import Overloaded, RateLimited
from gateway.application.gateway import Gateway
from gateway.domain.user import UserId
from support.api_client import Json, Person, fresh_key, open_world, refused
from support.asgi import ask

MEBIBYTE = 1024 * 1024


def items(merchant: Person, number: int, **more: object) -> Json:
    item = {"merchant_id": merchant.id, "amount": 1, "currency": "USD", **more}
    return {"mode": "independent", "items": [{"idempotency_key": fresh_key(), **item} for _ in range(number)]}


@pytest.fixture
def bodies() -> LargeBodies:
    return LargeBodies(LargeBodyLimits(bytes_max=100, bytes_per_caller_max=60))


def test_the_bytes_of_one_caller_are_bounded_and_those_of_all(bodies: LargeBodies) -> None:
    bodies.hold("a", 50)
    with pytest.raises(RateLimited) as too_many:
        bodies.hold("a", 11)
    assert too_many.value.facts == {"retry_after_seconds": 1}
    bodies.hold("b", 40)
    with pytest.raises(Overloaded):
        bodies.hold("c", 11)
    bodies.release("a", 50)
    bodies.hold("c", 60)


def test_a_body_larger_than_the_limits_may_be_held_alone(bodies: LargeBodies) -> None:
    bodies.hold("a", 200)
    bodies.release("a", 200)
    bodies.hold("b", 60)


async def test_callers_have_the_turn_one_at_a_time_and_in_turns(bodies: LargeBodies) -> None:
    order = list[str]()
    inside = 0

    async def work(caller: str) -> None:
        nonlocal inside
        async with bodies.turn(caller):
            inside += 1
            assert inside == 1
            order.append(caller)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(work(caller) for caller in ("a", "a", "a", "a", "b", "c")))
    assert order == ["a", "a", "b", "c", "a", "a"]


async def test_who_gives_up_waiting_keeps_nobody_from_the_turn(bodies: LargeBodies) -> None:
    async def work() -> None:
        async with bodies.turn("a"):
            await asyncio.sleep(0)

    async with bodies.turn("a"):
        waiting = [asyncio.create_task(work()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
    waiting[1].cancel()  # It has been given the turn already.
    async with asyncio.timeout(10):
        await asyncio.gather(*waiting, return_exceptions=True)
        await work()
    assert [task.cancelled() for task in waiting] == [True, True, False]


async def test_the_errors_of_a_large_body_are_found_while_other_tasks_run() -> None:
    raw = msgspec.json.encode({"mode": "independent", "items": [[0]] * 100_000})
    decoding = asyncio.create_task(decode_large_body(raw, msgspec.json.Decoder(BatchBody, strict=True)))
    turns = 0
    while not decoding.done():
        turns += 1
        await asyncio.sleep(0.001)
    assert turns >= 10
    with pytest.raises(HttpRefusal) as refused_body:
        await decoding
    assert len(refused_body.value.facts["errors"]) == 100


async def test_a_caller_whose_items_wait_is_refused_before_the_batch_arrives() -> None:
    checked = list[tuple[UserId, int]]()

    def full(gateway: Gateway) -> Gateway:
        class Full(CommandExecutor):
            def check_room(self, caller: UserId, size: int) -> None:
                checked.append((caller, size))
                raise RateLimited("Too much of yours is waiting.", retry_after_seconds=1)

        executor = gateway.executor
        return replace(gateway, executor=Full(executor._executor, executor._identifiers))  # noqa: SLF001 - the same one.

    async with open_world(changed=full) as world:
        customer, merchant = await world.customer(balance=10), await world.merchant()
        answer = await customer.api.post("/payments/batch", items(merchant, 2), key=fresh_key())
        refused(answer, 429, "rate_limited")
        assert answer.headers["retry-after"] == "1"
        assert checked == [(customer.id, 1)], "the body was read first"


@pytest.mark.parametrize(
    ("limits", "status", "code"),
    [
        (LargeBodyLimits(bytes_max=MEBIBYTE, bytes_per_caller_max=20_000), 429, "rate_limited"),
        (LargeBodyLimits(bytes_max=20_000, bytes_per_caller_max=MEBIBYTE), 503, "overloaded"),
    ],
    ids=["of one caller", "of all"],
)
async def test_bodies_that_wait_are_bounded_and_released(limits: LargeBodyLimits, status: int, code: str) -> None:
    async with open_world(limits=HttpLimits(large_bodies=limits)) as world:
        customer, merchant = await world.customer(balance=10_000), await world.merchant()

        async def send() -> httpx.Response:
            return await customer.api.post("/payments/batch", items(merchant, 160), key=fresh_key())

        answers = await asyncio.gather(*(send() for _ in range(3)))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [207, status, status]
        for answer in answers:
            if answer.status_code == status:
                refused(answer, status, code)
                assert answer.headers["retry-after"] == "1"
        assert (await send()).status_code == 207


@pytest.mark.parametrize(("pieces", "status"), [(0, 207), (1, 207), (3, 503)])
async def test_bytes_are_held_when_they_arrive_and_not_when_they_are_announced(pieces: int, status: int) -> None:
    limits = LargeBodyLimits(bytes_max=80_000, bytes_per_caller_max=MEBIBYTE)
    async with open_world(limits=HttpLimits(large_bodies=limits)) as world:
        slow, customer, merchant = await world.customer(), await world.customer(balance=10_000), await world.merchant()
        headers = [
            (b"authorization", f"Bearer {slow.api.token}".encode()),
            (b"idempotency-key", b"slow"),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % MEBIBYTE),
        ]
        sending = asyncio.create_task(
            ask(
                world.app,
                "POST",
                "/payments/batch",
                headers=headers,
                chunks=[b" " * 20_000] * pieces,
                hangs_after_chunks=True,
            )
        )
        await asyncio.sleep(0.1)
        body = items(merchant, 300)
        assert 20_000 < len(msgspec.json.encode(body)) < 60_000
        assert (await customer.api.post("/payments/batch", body, key=fresh_key())).status_code == status
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        assert (await customer.api.post("/payments/batch", body, key=fresh_key())).status_code == 207


def test_the_errors_of_the_last_items_are_found_as_those_of_the_first() -> None:
    item = {"idempotency_key": "key", "merchant_id": "usr_1", "amount": 1, "currency": "USD"}
    listed = [dict(item) for _ in range(1000)]
    listed[3]["description"] = "\0"
    listed[990]["amount"] = "1"
    listed[995]["unknown"] = 1
    assert errors_of(listed) == {
        "/items/3/description": "text_invalid",
        "/items/990/amount": "type_mismatch",
        "/items/995/unknown": "field_unknown",
    }


@pytest.mark.parametrize("number", [1001, 5000])
def test_a_list_that_is_too_long_is_told_so_however_long(number: int) -> None:
    item = {"idempotency_key": "key", "merchant_id": "usr_1", "amount": 1, "currency": "USD"}
    assert errors_of([item] * number) == {"/items": "value_invalid"}


def test_an_item_with_more_values_than_are_looked_at_is_refused() -> None:
    assert errors_of([{f"field-{number}": 1 for number in range(20_000)}]) == {"/items/0": "value_invalid"}


def errors_of(listed: Sequence[Mapping[str, object]]) -> dict[str, str]:
    """The codes of the errors of a batch, by pointer."""
    raw = msgspec.json.encode({"mode": "independent", "items": listed})
    with pytest.raises(HttpRefusal) as refused_body:
        decode_body(raw, msgspec.json.Decoder(BatchBody, strict=True))
    return {error["pointer"]: error["code"] for error in refused_body.value.facts["errors"]}
