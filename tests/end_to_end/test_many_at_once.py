"""Many requests at once, over several processes on one Postgres: each counts once, and money is spent once."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from support.load import Load, code_of, keys, open_shop
from support.postgres import PostgresServer, temporary_database
from support.servers import LOG_CHARACTERS_SHOWN, Installation, Server

IDLE_SECONDS_MAX = 6.0
HELD_SECONDS_MAX = 25.0
ENVIRON = {
    "GATEWAY_DATABASE_IDLE_TIMEOUT_SECONDS": str(IDLE_SECONDS_MAX),
    # Longer: who waits for a frozen server's locks gets them.
    "GATEWAY_DATABASE_LOCK_TIMEOUT_SECONDS": "10",
    "GATEWAY_DATABASE_STATEMENT_TIMEOUT_SECONDS": "15",
    "GATEWAY_DATABASE_COMMAND_TIMEOUT_SECONDS": "20",
}
LOCK = text("SELECT 1 FROM accounts WHERE id = :id FOR UPDATE")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two servers on one database."""

    gateway: Installation
    servers: tuple[Server, Server]
    clients: tuple[httpx.AsyncClient, httpx.AsyncClient]

    @property
    def urls(self) -> tuple[str, str]:
        return self.servers[0].url, self.servers[1].url


@pytest.fixture(scope="module")
async def running_pair(
    postgres_server: PostgresServer, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Pair]:
    async with temporary_database(postgres_server, template=migrated_template) as database, AsyncExitStack() as stack:
        gateway = Installation(tmp_path_factory.mktemp("pair"), postgres_server.url(database), tuple(ENVIRON.items()))
        one = await stack.enter_async_context(gateway.serving())
        two = await stack.enter_async_context(gateway.serving())
        clients = await stack.enter_async_context(one.client()), await stack.enter_async_context(two.client())
        yield Pair(gateway, (one, two), clients)
        await gateway.verify()


@pytest.fixture
def pair(running_pair: Pair) -> Generator[Pair]:
    """The pair, which all tests here share; what it has logged is shown when one fails."""
    yield running_pair
    for server in running_pair.servers:
        print(server.log()[-LOG_CHARACTERS_SHOWN:])  # noqa: T201 - pytest shows it after a failure.


async def test_of_many_payments_that_each_take_more_than_half_one_succeeds_over_two_servers(pair: Pair) -> None:
    load = Load(await open_shop(pair.clients[0], balance=100), amount=51)
    await load.send(keys(64), *pair.urls)
    await _check_that_one_succeeded(load, pair.clients[1])


async def test_of_many_payments_that_each_take_more_than_half_one_succeeds_over_two_workers(
    postgres_url: str, tmp_path: Path
) -> None:
    gateway = Installation(tmp_path, postgres_url)
    async with gateway.serving("--workers", "2") as server, server.client() as http:
        load = Load(await open_shop(http, balance=100), amount=51)
        await load.send(keys(64), server.url)
        await _check_that_one_succeeded(load, http)
        assert server.log().count("Started server process") == 2
    await gateway.verify()


async def _check_that_one_succeeded(load: Load, http: httpx.AsyncClient) -> None:
    assert load.statuses() == {201: 1, 402: 63}
    refused = [answer for answer in load.answers.values() if answer.status_code == httpx.codes.PAYMENT_REQUIRED]
    assert {code_of(answer) for answer in refused} == {"insufficient_funds"}
    await load.shop.check(http, load.paid().values(), amount=51)


async def test_a_key_sent_many_times_at_once_pays_once_and_is_answered_alike_also_after_a_restart(pair: Pair) -> None:
    shop = await open_shop(pair.clients[0])
    answers = await asyncio.gather(*(shop.pay(client, "order-1") for client in pair.clients for _ in range(16)))

    assert {answer.status_code for answer in answers} == {201}
    [body] = {answer.content for answer in answers}
    assert [answer.headers.get("idempotency-replayed") for answer in answers].count("true") == 31

    for server in pair.servers:
        await server.kill()
        await server.start()
        async with server.client() as http:
            answer = await shop.pay(http, "order-1")
            assert (answer.status_code, answer.content) == (201, body)
            assert answer.headers["idempotency-replayed"] == "true"
            await shop.check(http, [answers[0].json()["id"]])


async def test_payments_that_come_at_once_share_transactions(pair: Pair) -> None:
    load = Load(await open_shop(pair.clients[0]))
    await load.send(keys(256), pair.urls[0])

    assert load.statuses() == {201: 256}
    # Postgres writes into every row which transaction made it.
    count = text("SELECT count(*), count(DISTINCT xmin::text) FROM payments WHERE customer_id = :id")
    async with pair.gateway.connected() as database:
        payments, transactions = (await database.execute(count, {"id": load.shop.customer.id})).one()
    assert payments == 256
    assert transactions <= 64


async def test_a_key_that_another_process_holds_is_answered_as_running_while_others_go_on(pair: Pair) -> None:
    http, _ = pair.clients
    shop, others = await open_shop(http), await open_shop(http)
    async with pair.gateway.connected() as database:
        claim = text("INSERT INTO answers VALUES (:owner, 'order-1', 'a fingerprint', 'a body', now())")
        await database.execute(claim, {"owner": shop.customer.id})

        async with asyncio.timeout(HELD_SECONDS_MAX):
            [held, *free] = await asyncio.gather(
                shop.pay(http, "order-1"), shop.pay(http, "order-2"), *(others.pay(http, key) for key in keys(8))
            )

    assert held.status_code == 409
    assert code_of(held) == "idempotency_in_progress"
    assert int(held.headers["retry-after"]) >= 1
    assert [answer.status_code for answer in free] == [201] * 9

    # What the other process wrote was rolled back, and so the key is free.
    paid = await shop.pay(http, "order-1")
    assert paid.status_code == 201
    assert "idempotency-replayed" not in paid.headers
    await shop.check(http, [paid.json()["id"], free[0].json()["id"]])


async def test_a_server_that_is_frozen_while_it_pays_holds_up_nobody_and_its_payment_happens_once(pair: Pair) -> None:
    frozen, _ = pair.servers
    at_frozen, at_well = pair.clients
    shop = await open_shop(at_well)
    async with pair.gateway.connected() as database:
        await database.execute(LOCK, {"id": shop.merchant.account_id})
        first = asyncio.create_task(shop.pay(at_frozen, "order-1"))
        await pair.gateway.until_sessions("waiting for a lock")
        frozen.send(signal.SIGSTOP)

    # The payment is one statement, and Postgres commits it without the server that sent it.
    async with asyncio.timeout(IDLE_SECONDS_MAX / 2):
        second = await shop.pay(at_well, "order-1")
    assert second.status_code == 201
    assert not first.done()

    frozen.send(signal.SIGCONT)
    answer = await first
    assert (answer.status_code, answer.content) == (201, second.content)
    await shop.check(at_well, [second.json()["id"]])


async def test_a_server_that_is_frozen_holding_a_batch_stops_nobody_else_and_its_capture_happens_once(
    pair: Pair,
) -> None:
    frozen, _ = pair.servers
    at_frozen, at_well = pair.clients
    shop, others = await open_shop(at_well), await open_shop(at_well)
    held = {**shop.body(1), "capture": "manual"}
    promised = await at_well.post("/payments", headers=shop.customer.headers | {"Idempotency-Key": "hold"}, json=held)
    path, headers = f"/payments/{promised.json()['id']}/capture", shop.merchant.headers | {"Idempotency-Key": "take"}
    async with pair.gateway.connected() as database:
        await database.execute(LOCK, {"id": shop.merchant.account_id})
        first = asyncio.create_task(at_frozen.post(path, headers=headers, json={}))
        await pair.gateway.until_sessions("waiting for a lock")
        frozen.send(signal.SIGSTOP)
    await pair.gateway.until_sessions("idle in transaction")

    async with asyncio.timeout(IDLE_SECONDS_MAX / 2):
        assert (await others.pay(at_well, "order-1")).status_code == 201
    async with asyncio.timeout(IDLE_SECONDS_MAX + HELD_SECONDS_MAX):
        second = await at_well.post(path, headers=headers, json={})
    assert second.status_code == 200
    assert not first.done()

    frozen.send(signal.SIGCONT)
    answer = await first
    assert (answer.status_code, answer.content) == (200, second.content)
    assert answer.headers["idempotency-replayed"] == "true"
    await shop.check(at_well, [second.json()["id"]])
