"""What is tortured: two servers, a worker, their Postgres behind a proxy, customers, merchants and a receiver."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
import httpx

from support import gateway_with_another_clock
from support.gateway_with_another_clock import CLOCK_FILE, set_ahead
from support.load import Person, sign_up
from support.postgres import LocalPostgres
from support.receivers import Receiver, receiver
from support.servers import Installation, Server, Worker, until
from torture.book import Book
from torture.load import Buyer, Load
from torture.proxy import Kind, Moment, PostgresProxy, proxied

TESTS: Final = Path(__file__).parents[1]
BALANCE: Final = 999_999_999
READY_SECONDS_MAX: Final = 60.0
SETTINGS: Final = (
    ("GATEWAY_WORKER_IN_SERVE", "false"),
    ("GATEWAY_TOKEN_LIFETIME_SECONDS", "3600"),
    ("GATEWAY_WEBHOOK_RETRY_SECONDS", ",".join(["1"] * 20)),
    ("GATEWAY_WEBHOOK_LEASE_SECONDS", "2"),
    ("GATEWAY_EXPIRY_INTERVAL_SECONDS", "1"),
)
"""Retries of webhooks go on for as long as faults do; all else is as it is by default."""
SHORT_TIMEOUTS: Final[Mapping[str, str]] = {
    "GATEWAY_DATABASE_LOCK_TIMEOUT_SECONDS": "0.5",
    "GATEWAY_DATABASE_STATEMENT_TIMEOUT_SECONDS": "1",
    "GATEWAY_DATABASE_COMMAND_TIMEOUT_SECONDS": "2",
    "GATEWAY_DATABASE_IDLE_TIMEOUT_SECONDS": "2",
    "GATEWAY_RETRY_SECONDS_MAX": "1.5",
}
"""For tests: what waits for a time-out by default waits for seconds."""


@dataclass(slots=True, kw_only=True)
class Scene:
    """All processes and people.

    Attributes:
        postgres: The database, which may be stopped, killed and started again.
        proxy: Between Postgres and all processes of the gateway.
        gateway: The installation; its database is behind the proxy.
        direct: The same, past the proxy.
        servers: Both servers.
        worker: The worker.
        clocks: For each process, the file with the number of seconds by which its clock is ahead.
        book: What customers were told.
        load: The customers.
        merchants: Who is paid.
        receives: The receiver of webhooks.
        delivered: Ids of the events that it has received.
        cuts: How many connections were cut at which statements, and when.
        chance: The source of chance.
    """

    postgres: LocalPostgres
    proxy: PostgresProxy
    gateway: Installation
    direct: Installation
    servers: Sequence[Server]
    worker: Server
    clocks: Mapping[Server, Path]
    book: Book
    load: Load
    buyers: Sequence[Buyer]
    probes: Sequence[Buyer]
    receives: Receiver
    chance: random.Random
    delivered: set[str] = field(default_factory=set[str])
    cuts: Counter[tuple[Kind, Moment]] = field(default_factory=Counter[tuple[Kind, Moment]])

    @property
    def processes(self) -> list[Server]:
        """Servers and worker."""
        return [*self.servers, self.worker]

    @property
    def merchants(self) -> list[str]:
        """The ids of those who are paid."""
        return sorted({buyer.merchant.id for buyer in self.buyers})

    async def query(self, statement: str, *arguments: Any) -> list[Any]:
        """Run a statement past the proxy, on a connection of its own."""
        async with self.connected() as connection:
            found: list[Any] = await connection.fetch(statement, *arguments)
            return found

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[Any]:
        """A connection past the proxy."""
        connection = await asyncpg.connect(self.direct.database_url)
        try:
            yield connection
        finally:
            connection.terminate()

    async def until_done(self, operations: int) -> None:
        """Wait until so many more operations were carried out."""
        wanted = self.book.done + operations

        async def is_so() -> bool:
            return self.book.done >= wanted

        await until(is_so, READY_SECONDS_MAX)

    async def until_recovered(self) -> float:
        """Wait until every process is ready, and a payment succeeds at each server.

        Returns:
            Seconds.
        """
        began = time.monotonic()
        await asyncio.gather(*(process.until_ready(200, READY_SECONDS_MAX) for process in self.processes))
        await asyncio.gather(*(probe.pay() for probe in self.probes))
        return time.monotonic() - began

    def set_clock(self, process: Server, seconds: int) -> None:
        """Let the clock of a process be ahead by so many seconds."""
        set_ahead(self.clocks[process], seconds)

    def take_deliveries(self) -> None:
        """Note what the receiver has received."""
        self.delivered.update(request.headers["webhook-id"] for request in self.receives.requests)
        self.receives.requests.clear()


@asynccontextmanager
async def opened(
    postgres: LocalPostgres,
    folder: Path,
    *,
    seed: int,
    buyers: int = 12,
    merchants: int = 3,
    pause_seconds: float = 0.05,
    settings: Mapping[str, str] | None = None,
) -> AsyncGenerator[Scene]:
    """A scene in which everything is well and nobody pays yet.

    Args:
        postgres: A server with nothing in it.
        folder: Where logs, keys and clocks lie.
        seed: Of all chance.
        buyers: How many customers pay at the same time.
        merchants: How many merchants they pay.
        pause_seconds: How long a customer waits between two operations.
        settings: Further settings of all processes.
    """
    chance, book = random.Random(seed), Book()  # noqa: S311 - no secret.
    async with AsyncExitStack() as stack:
        url = postgres.url("postgres")
        proxy = await stack.enter_async_context(proxied(url))
        environ = SETTINGS + tuple((settings or {}).items())
        module = gateway_with_another_clock.__name__
        gateway = Installation(folder, proxy.url, (*environ, ("PYTHONPATH", str(TESTS))), module)
        clocks: dict[Server, Path] = {}
        for number, kind in enumerate((Server, Server, Worker)):
            set_ahead(clock := folder / f"clock-{number}", 0)
            clocks[kind(gateway, (), {CLOCK_FILE: str(clock)})] = clock
        *servers, worker = clocks
        # The first one migrates.
        await stack.enter_async_context(servers[0].running())
        await asyncio.gather(
            *(stack.enter_async_context(process.running()) for process in clocks if process is not servers[0])
        )
        urls = [server.url for server in servers]
        receives = await stack.enter_async_context(receiver())
        async with servers[0].client() as http:
            paid = [await _merchant(http, receives) for _ in range(merchants)]
            await _age_endpoints(url)
            paying = [await _customer(http) for _ in range(buyers + len(urls))]

        def buyer(number: int, urls: Sequence[str]) -> Buyer:
            own = random.Random(chance.random())  # noqa: S311 - as above.
            return Buyer(paying[number], paid[number % merchants], urls, book, own, pause_seconds)

        everybody = [buyer(number, urls) for number in range(buyers)]
        probes = [buyer(buyers + number, [url]) for number, url in enumerate(urls)]
        for each in probes:
            stack.callback(each.close)
        yield Scene(
            postgres=postgres,
            proxy=proxy,
            gateway=gateway,
            direct=Installation(folder, url, environ),
            servers=servers,
            worker=worker,
            clocks=clocks,
            book=book,
            load=Load(everybody),
            buyers=everybody,
            probes=probes,
            receives=receives,
            chance=chance,
        )


async def _age_endpoints(url: str) -> None:
    """Let the endpoints be older than clocks are wrong: what seems to be older than its endpoint is not delivered."""
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE webhook_endpoints SET created_at = created_at - interval '2 days'")
    await connection.close()


async def _customer(http: httpx.AsyncClient) -> Person:
    customer = await sign_up(http, "customer")
    deposit = {"account_id": customer.account_id, "amount": BALANCE, "currency": "USD"}
    answer = await http.post("/deposits", headers=customer.headers | {"Idempotency-Key": "deposit"}, json=deposit)
    assert answer.status_code == 201, answer.text
    return customer


async def _merchant(http: httpx.AsyncClient, receives: Receiver) -> Person:
    merchant = await sign_up(http, "merchant")
    endpoint = {"url": f"http://127.0.0.1:{receives.port}/", "events": ["*"]}
    answer = await http.post("/webhook-endpoints", headers=merchant.headers, json=endpoint)
    assert answer.status_code == 201, answer.text
    return merchant
