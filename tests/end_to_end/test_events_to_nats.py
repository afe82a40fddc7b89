"""Every event reaches JetStream once and in order, though workers and the server are killed; on Postgres and SQLite."""

import asyncio
import itertools
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway import AccountKey, AccountKind, CapturePayment, Gateway, MakeDeposit, OpenAccount, Pay, open_gateway
from gateway.application.ports.events import FeedEvent
from gateway.application.views.events import event_view_json
from gateway.contracts.records import USD, user_id
from gateway.domain.limits import EVENTS_PER_READ_MAX
from gateway.domain.payment import CaptureMethod
from gateway.domain.payment_terms import PaymentOrder
from support.builders import usd
from support.nats import NatsServer, StoredMessage, connected, stored
from support.processes import run_to_end
from support.servers import Installation, free_port, until

SECONDS_MAX = 100
PAYMENTS = 2_000
AT_ONCE = 50
CUSTOMERS = 5


@pytest.fixture
async def nats_server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    server = NatsServer(tmp_path / "nats")
    await server.start()
    yield server
    server.stop()


@dataclass(slots=True)
class Workers:
    """Processes of `gateway worker` that publish events."""

    installation: Installation
    log: Path
    running: list[asyncio.subprocess.Process] = field(default_factory=list[asyncio.subprocess.Process])

    async def start(self) -> None:
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gateway",
                "worker",
                cwd=self.installation.folder,
                env=self.installation.environment,
                stdout=log,
                stderr=log,
            )
        self.running.append(process)

    async def kill(self) -> None:
        """Kill them all, in the middle of whatever they do."""
        for process in self.running:
            process.kill()
        for process in self.running:
            await process.wait()
        self.running.clear()

    async def finish(self) -> list[int | None]:
        """Ask them to finish. Returns their exit codes."""
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(SECONDS_MAX):
            for process in self.running:
                await process.wait()
        codes = [process.returncode for process in self.running]
        self.running.clear()
        return codes


@asynccontextmanager
async def workers_of(folder: Path, url: str, server: NatsServer, **environ: str) -> AsyncIterator[Workers]:
    settings = {
        "GATEWAY_EVENTS_NATS_URL": server.url,
        "GATEWAY_EVENTS_NATS_FIRST_EVENT": "oldest",
        "GATEWAY_EVENTS_NATS_GROUP_SIZE": "100",
        "GATEWAY_EVENTS_NATS_TAKEOVER_SECONDS": "0.3",
        "GATEWAY_LOG_FORMAT": "json",
    }
    installation = Installation(folder, url, tuple((settings | environ).items()))
    workers = Workers(installation, folder / "workers.log")
    try:
        yield workers
    except BaseException:
        sys.stderr.write(workers.log.read_text()[-10_000:])
        raise
    finally:
        await workers.kill()


async def pay_often(gateway: Gateway, payments: int) -> None:
    """Holds and their captures, of several customers at once: two events of each payment."""
    merchant = user_id(100)
    await gateway.execute(OpenAccount(key=AccountKey(merchant, USD, AccountKind.MERCHANT)))
    for number in range(1, CUSTOMERS + 1):
        account = await gateway.execute(OpenAccount(key=AccountKey(user_id(number), USD, AccountKind.CUSTOMER)))
        await gateway.execute(MakeDeposit(account_id=account.id, amount=usd(1_000_000), owner_id=None))
    numbers = itertools.count(1)

    async def pay() -> None:
        while (number := next(numbers)) <= payments:
            order = PaymentOrder(
                customer_id=user_id(number % CUSTOMERS + 1),
                merchant_id=merchant,
                amount=usd(1),
                metadata={},
                capture=CaptureMethod.MANUAL,
            )
            held = await gateway.execute(Pay(order=order))
            await gateway.execute(CapturePayment(payment_id=held.payment.id, merchant_id=merchant))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(pay())


async def all_events(gateway: Gateway) -> list[FeedEvent]:
    found: list[FeedEvent] = []
    while page := await gateway.events.read(after=found[-1].position if found else 0, limit=EVENTS_PER_READ_MAX):
        found.extend(page)
    return found


async def until_stored(server: NatsServer, count: int) -> None:
    async def is_so() -> bool:
        async with connected(server) as jetstream:
            streams = await jetstream.streams_info()
        return bool(streams) and (streams[0].state.messages or 0) >= count

    await until(is_so, SECONDS_MAX)


async def until_acknowledged(gateway: Gateway) -> None:
    async def is_so() -> bool:
        return await gateway.storage.event_cursors.position("nats") == await gateway.storage.events.newest()

    await until(is_so, SECONDS_MAX)


def check(messages: Sequence[StoredMessage], events: Sequence[FeedEvent]) -> None:
    """Each event once, with the bytes that the API shows, and the events of each object in order."""
    shown: dict[str, FeedEvent] = {event.id: event for event in events}
    assert len(messages) == len(events)
    last: dict[str, int] = {}
    for message in messages:
        event = shown.pop(message.headers["Nats-Msg-Id"])
        assert message.data.endswith(b'"data":' + event_view_json(event) + b"}")
        told = json.loads(message.data)
        assert told["data"]["sequence"] > last.get(event.object_id, 0)
        last[event.object_id] = told["data"]["sequence"]
    assert not shown


async def test_killed_workers_and_a_killed_server_lose_no_event(
    postgres_url: str, tmp_path: Path, nats_server: NatsServer
) -> None:
    async with open_gateway(postgres_url) as gateway, workers_of(tmp_path, postgres_url, nats_server) as workers:
        await workers.start()
        await workers.start()
        paying = asyncio.create_task(pay_often(gateway, PAYMENTS))
        for count in (300, 900, 1_500):
            await until_stored(nats_server, count)
            await workers.kill()
            await workers.start()
            await workers.start()
        for count in (2_000, 2_600):
            await until_stored(nats_server, count)
            nats_server.kill()
            await asyncio.sleep(0.3)
            await nats_server.start()
        await paying
        await until_acknowledged(gateway)
        assert await workers.finish() == [0, 0]
        events = await all_events(gateway)
        assert len(events) > 2 * PAYMENTS
        check(await stored(nats_server), events)


async def test_an_outage_is_one_line_and_events_wait_for_its_end(tmp_path: Path, nats_server: NatsServer) -> None:
    """On SQLite, which a worker of its own may write to beside this process."""
    database = f"sqlite:///{tmp_path / 'ledger.db'}"
    nats_server.stop()
    async with open_gateway(database) as gateway, workers_of(tmp_path, database, nats_server) as workers:
        await pay_often(gateway, 20)
        await workers.start()

        async def waits() -> bool:
            return "event_relay_waits" in workers.log.read_text()

        await until(waits, SECONDS_MAX)
        await asyncio.sleep(1.5)  # Several tries.
        await nats_server.start()
        await until_acknowledged(gateway)
        assert await workers.finish() == [0]
        check(await stored(nats_server), await all_events(gateway))
    lines = [json.loads(line) for line in workers.log.read_text().splitlines() if line.startswith("{")]
    told = [line for line in lines if str(line["event"]).startswith("event_")]
    assert [line["event"] for line in told] == [
        "event_relay_begins",
        "event_relay_waits",
        "event_stream_created",
        "event_relay_goes_on",
    ]
    assert re.search("Connect call failed|Connection refused", told[1]["cause"])  # Of asyncio, of uvloop.


async def test_serve_publishes_too_where_it_does_the_work_of_a_worker(tmp_path: Path, nats_server: NatsServer) -> None:
    environ = {"GATEWAY_EVENTS_NATS_URL": nats_server.url, "GATEWAY_EVENTS_NATS_FIRST_EVENT": "oldest"}
    installation = Installation(tmp_path, environ=tuple(environ.items()))
    async with installation.serving() as server, server.client() as client:
        credentials = {"email": "ada@example.com", "password": "correct horse battery", "role": "customer"}
        assert (await client.post("/users/register", json=credentials)).status_code == 201
        await until_stored(nats_server, 1)
    assert {message.subject for message in await stored(nats_server)} == {"gateway.events.account.opened"}


async def test_without_the_extra_a_start_is_refused_in_a_sentence(tmp_path: Path) -> None:
    hidden = "import sys, runpy; sys.modules['nats'] = None; runpy.run_module('gateway', run_name='__main__')"
    environ = {"PATH": os.environ["PATH"], "GATEWAY_EVENTS_NATS_URL": "nats://127.0.0.1:4222"}
    done = await run_to_end(
        [sys.executable, "-c", hidden, "serve", "--port", str(free_port())],
        cwd=tmp_path,
        env=environ,
        stdin="",
        seconds_max=SECONDS_MAX,
    )
    assert done.exit_code
    assert "GATEWAY_EVENTS_NATS_URL is set, but the NATS client is not installed." in done.complained
    assert "pip install 'gateway[nats]'" in done.complained
    assert "Traceback" not in done.said + done.complained
