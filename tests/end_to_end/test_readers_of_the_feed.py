"""Three readers follow while two servers pay 40 merchants: over the API, on a stream, in Python. None misses an event.

The same after the database was dumped and restored into another cluster, where ids of transactions begin anew.
"""

import asyncio
import os
import secrets
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
import httpx
import pytest

from gateway import open_gateway
from gateway.domain.limits import EVENTS_PER_READ_MAX
from support.event_stream import listening
from support.load import PASSWORD, Person, log_in, sign_up
from support.postgres import LocalPostgres, copy_database, local_postgres, new_database
from support.servers import Installation, Server

EVENTS = int(os.environ.get("GATEWAY_TEST_FEED_EVENTS", "600"))
"""How many payments the servers make. Run by hand with 40,000, too."""
MERCHANTS = 40
PAYMENTS_OF_A_BATCH = 20
BATCHES_AT_ONCE = 16
POLL_SECONDS = 0.05
SECONDS_MAX = 60 + EVENTS / 50
LATE_BATCH = "INSERT INTO event_batches_unnumbered SELECT nextval('event_batch_ids'), $1, $1, 1 RETURNING batch_id"
LATE_EVENT = (
    "INSERT INTO events (id, type, object_id, sequence, created_at, data, batch_id, batch_index)"
    " VALUES ($1, 'payment.captured', 'pay_late', 1, now(), '{}', $2, 0)"
)


class Seen(NamedTuple):
    """An event that a reader was given."""

    position: int
    id: str


@pytest.mark.timeout(2 * SECONDS_MAX)
async def test_nobody_misses_an_event_and_no_position_goes_back(
    private_postgres: LocalPostgres, tmp_path: Path
) -> None:
    url = await new_database(private_postgres, "before")
    gateway = Installation(tmp_path / "before", url)
    gateway.folder.mkdir()
    async with gateway.serving() as one, gateway.serving() as other:
        operator = await an_operator(gateway, one)
        async with readers(operator, one, other, url, after=0) as reading:
            await pay(one, other, url, EVENTS)
            all_ids = await ids_of_all_events(url)
            seen = await everything(reading, len(all_ids))
    assert len(all_ids) > EVENTS
    for name, events in seen.items():
        assert [each.id for each in events] == [each.id for each in seen["in Python"]], name
        assert {each.id for each in events} == all_ids, name
        assert all(before.position < event.position for before, event in pairwise(events)), name

    with local_postgres() as another:
        restored = await new_database(another, "after")
        copy_database(url, restored)
        later = Installation(tmp_path / "after", restored)
        later.folder.mkdir()
        async with later.serving() as one, later.serving() as other:
            operator = await an_operator(later, one, is_new=False)
            last = max(each.position for each in seen["in Python"])
            async with readers(operator, one, other, restored, after=last) as reading:
                await pay(one, other, restored, EVENTS // 10)
                new_ids = await ids_of_all_events(restored) - all_ids
                seen_later = await everything(reading, len(new_ids))
        assert len(new_ids) > EVENTS // 10
        for name, events in seen_later.items():
            assert {each.id for each in events} == new_ids, name
            assert events[0].position > last, name
        before = seen["in Python"][:EVENTS_PER_READ_MAX]
        async with open_gateway(restored) as opened:
            page = await opened.events.read(after=0, limit=len(before))
        assert [Seen(event.position, event.id) for event in page] == before


async def an_operator(gateway: Installation, server: Server, *, is_new: bool = True) -> Person:
    email = "operator@example.com"
    if is_new:
        made = await gateway.run("create-operator", "--email", email, "--password-stdin", stdin=f"{PASSWORD}\n")
        assert made.exit_code == 0, made.complained
    async with server.client() as http:
        return Person(id="", account_id="", email=email, headers=await log_in(http, email))


async def pay(one: Server, other: Server, url: str, payments: int) -> None:
    """Customers of both servers pay 40 merchants in turn, while one more transaction is open from begin to end."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(), one.client() as http:
            late = f"evt_late_{payments}"
            await connection.execute(LATE_EVENT, late, await connection.fetchval(LATE_BATCH, late))
            merchants = [await register(http) for _ in range(MERCHANTS)]
            await asyncio.gather(*(pay_in_batches(server, merchants, payments // 2) for server in (one, other)))
    finally:
        await connection.close()


async def register(http: httpx.AsyncClient) -> str:
    """The id of a new merchant."""
    body = {"email": f"{secrets.token_hex(8)}@example.com", "password": PASSWORD, "role": "merchant"}
    answer = await http.post("/users/register", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def pay_in_batches(server: Server, merchants: Sequence[str], payments: int) -> None:
    """One customer pays the merchants in turn."""
    batches = deque(range(0, payments, PAYMENTS_OF_A_BATCH))
    async with server.client() as http:
        customer = await sign_up(http, "customer")
        deposit = {"account_id": customer.account_id, "amount": payments, "currency": "USD"}
        answer = await http.post("/deposits", json=deposit, headers=customer.headers | {"Idempotency-Key": "deposit"})
        assert answer.status_code == 201, answer.text

        async def one_after_the_other() -> None:
            while batches:
                first = batches.popleft()
                items = [
                    {"idempotency_key": f"{n}", "merchant_id": merchants[n % MERCHANTS], "amount": 1, "currency": "USD"}
                    for n in range(first, min(first + PAYMENTS_OF_A_BATCH, payments))
                ]
                headers = customer.headers | {"Idempotency-Key": f"batch-{first}"}
                answer = await http.post("/payments/batch", json={"mode": "atomic", "items": items}, headers=headers)
                assert answer.status_code == 201, answer.text

        await asyncio.gather(*(one_after_the_other() for _ in range(BATCHES_AT_ONCE)))


@asynccontextmanager
async def readers(
    operator: Person, one: Server, other: Server, url: str, *, after: int
) -> AsyncIterator[dict[str, list[Seen]]]:
    """What each of three readers has seen so far, from a position on."""
    seen: dict[str, list[Seen]] = {"API": [], "stream": [], "in Python": []}

    async def over_the_api() -> None:
        position: int = after
        async with one.client() as http:
            while True:
                query = {"after": str(position), "limit": "100"}
                page = (await http.get("/events", params=query, headers=operator.headers)).json()
                seen["API"].extend(Seen(event["position"], event["id"]) for event in page["data"])
                position = page["last_position"]
                if not page["has_more"]:
                    await asyncio.sleep(POLL_SECONDS)

    async def on_a_stream() -> None:
        last_id = str(after)
        while True:  # A reader that is too slow is cut off, and resumes.
            async with listening(other, operator, last_id=last_id, after=last_id) as listener:
                with suppress(httpx.TransportError):
                    async for message in listener.messages():
                        seen["stream"].append(Seen(int(message.id), message.json["id"]))
                        last_id = message.id

    async def in_python() -> None:
        async with open_gateway(url) as gateway:
            async for event in gateway.events.follow(after=after):
                seen["in Python"].append(Seen(event.position, event.id))

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(read()) for read in (over_the_api, on_a_stream, in_python)]
        yield seen
        for task in running:
            task.cancel()


async def everything(reading: dict[str, list[Seen]], count: int) -> dict[str, list[Seen]]:
    """What every reader has seen once it has seen so many events."""
    async with asyncio.timeout(SECONDS_MAX):
        while any(len(events) < count for events in reading.values()):  # noqa: ASYNC110 - three readers are watched.
            await asyncio.sleep(POLL_SECONDS)
    return {name: list(events) for name, events in reading.items()}


async def ids_of_all_events(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        return {row[0] for row in await connection.fetch("SELECT id FROM events")}
    finally:
        await connection.close()
