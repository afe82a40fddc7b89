"""Two servers on one Postgres whose clocks differ: every list is right all the same."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import gateway_with_another_clock
from support.gateway_with_another_clock import CLOCK_FILE, set_ahead
from support.load import Load, Person, keys, open_shop
from support.servers import Installation, Server

TEN_MINUTES = 600
MINUTE = timedelta(minutes=1)
TESTS = Path(__file__).parents[1]
Json = dict[str, Any]


@pytest.fixture
async def servers(postgres_url: str, tmp_path: Path) -> AsyncGenerator[tuple[Server, Server]]:
    """Two servers. The second one's clock is ten minutes ahead."""
    right = Installation(tmp_path, postgres_url)
    set_ahead(clock := tmp_path / "clock", TEN_MINUTES)
    environ = (("PYTHONPATH", str(TESTS)), (CLOCK_FILE, str(clock)))
    ahead = replace(right, environ=environ, module=gateway_with_another_clock.__name__)
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(right.serving()), await stack.enter_async_context(ahead.serving())
    await right.verify()


async def test_while_a_clock_is_ahead_and_after_it_was_set_right_payments_are_where_they_say_and_histories_in_order(
    servers: tuple[Server, Server], tmp_path: Path
) -> None:
    urls = [server.url for server in servers]
    async with servers[0].client() as http:
        shop = await open_shop(http)
        load = Load(shop)
        await load.send(keys(300), *urls, at_once=32)
        # One after the other, so that each is on what the other server has just done.
        for number in range(10):
            await load.send(keys(1), urls[number % 2])
        set_ahead(tmp_path / "clock", 0)
        await load.send(keys(300), *urls, at_once=32)
        for number in range(10):
            await load.send(keys(1), urls[number % 2])
        assert load.statuses() == {201: 620}

        paid = {answer.json()["id"]: answer.json() for answer in load.answers.values()}
        times = sorted(moment(payment) for payment in paid.values())
        assert times[-1] - times[0] >= timedelta(seconds=TEN_MINUTES - 60)
        await asyncio.gather(
            *(
                check
                for person in (shop.customer, shop.merchant)
                for check in (
                    every_payment_is_in_its_minute(http, person, paid),
                    every_transaction_is_in_its_minute(http, person),
                    the_history_is_in_the_order_of_its_balances(http, person),
                )
            )
        )


async def every_payment_is_in_its_minute(http: httpx.AsyncClient, person: Person, paid: dict[str, Json]) -> None:
    assert set(paid) == {payment["id"] for payment in await everything(http, person, "/payments")}
    await each_is_in_its_minute(http, person, "/payments", list(paid.values()))


async def every_transaction_is_in_its_minute(http: httpx.AsyncClient, person: Person) -> None:
    await each_is_in_its_minute(http, person, "/transactions", await everything(http, person, "/transactions"))


async def each_is_in_its_minute(http: httpx.AsyncClient, person: Person, path: str, records: list[Json]) -> None:
    minutes: dict[datetime, set[str]] = defaultdict(set)
    for record in records:
        minutes[moment(record).replace(second=0, microsecond=0)].add(record["id"])
    for minute, ids in minutes.items():
        parameters = {"created_after": rfc3339(minute), "created_before": rfc3339(minute + MINUTE)}
        assert {each["id"] for each in await everything(http, person, path, **parameters)} == ids


async def the_history_is_in_the_order_of_its_balances(http: httpx.AsyncClient, person: Person) -> None:
    history = await everything(http, person, "/transactions", account_id=person.account_id)
    # Oldest first, each entry continues from the balance after the previous entry.
    balance = 0
    for transaction in reversed(history):
        for entry in transaction["entries"]:
            balance += entry["amount"] if entry["direction"] == "credit" else -entry["amount"]
            assert entry["balance_after"]["posted"] == balance
    assert balance == await person.available(http)


async def everything(http: httpx.AsyncClient, person: Person, path: str, **parameters: str) -> list[Json]:
    """All pages of a list."""
    found: list[Json] = []
    while True:
        answer = await http.get(path, headers=person.headers, params={"limit": "37", **parameters})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["data"]
        if not page["has_more"]:
            assert len({record["id"] for record in found}) == len(found)
            return found
        parameters = {**parameters, "cursor": page["next_cursor"]}


def moment(record: Json) -> datetime:
    return datetime.fromisoformat(record["created_at"])


def rfc3339(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
