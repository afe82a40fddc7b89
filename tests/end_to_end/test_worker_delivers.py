"""`gateway worker` delivers webhooks, shows what waits, and gives its endpoints back at SIGTERM."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from gateway import FeedEvent, Gateway, in_memory_gateway, open_gateway
from gateway.application.commands.create_webhook_endpoint import CreateWebhookEndpoint
from gateway.application.events.relay import EventRelay
from gateway.application.jobs import Jobs
from gateway.application.ports.event_sink import SinkUnavailable
from gateway.bootstrap.jobs import Worker, open_worker, working
from gateway.domain.user import Role
from gateway.domain.webhook_endpoint import WebhookEndpoint
from gateway.entrypoints.health import NoAnswer, health
from gateway.entrypoints.heartbeat import heartbeat_file
from gateway.entrypoints.worker_health import answering_health
from gateway.settings.values import Settings
from support.builders import MERCHANT, register
from support.receivers import Receiver, answering_ok, receiver
from support.servers import free_port, until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECONDS_MAX = 60


@asynccontextmanager
async def a_worker(url: str, folder: Path, **environ: str) -> AsyncIterator[subprocess.Popen[str]]:
    """A worker process, stopped at the end."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    environ = {"GATEWAY_DATABASE_URL": url, "GATEWAY_DATA_DIR": str(folder), **environ}
    process = subprocess.Popen(  # noqa: ASYNC220 - starting takes no time.
        [sys.executable, "-m", "gateway", "worker"],
        env=kept | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert "delivers webhooks" in await asyncio.to_thread(process.stdout.readline)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.communicate, timeout=SECONDS_MAX)


async def endpoint_at(gateway: Gateway, receives: Receiver) -> WebhookEndpoint:
    """An endpoint of the merchant, for all events."""
    return await gateway.execute(
        CreateWebhookEndpoint(
            owner_id=MERCHANT,
            all_merchants=False,
            url=f"http://127.0.0.1:{receives.port}/webhooks",
            events=("*",),
            description=None,
            enabled=True,
            secret=SECRET,
        )
    )


async def test_a_worker_delivers_what_other_processes_commit(postgres_url: str, tmp_path: Path) -> None:
    port = free_port()
    async with (
        open_gateway(postgres_url) as gateway,
        receiver(answering_ok) as receives,
        a_worker(postgres_url, tmp_path, GATEWAY_WORKER_HEALTH_PORT=str(port)) as worker,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        await endpoint_at(gateway, receives)
        await gateway.execute(register(2, Role.MERCHANT))

        async def has_arrived() -> bool:
            return bool(receives.requests)

        await until(has_arrived, SECONDS_MAX)
        [request] = receives.requests
        told = Webhook(SECRET).verify(request.body, request.headers)
        assert told["type"] == "account.opened"

        async def nothing_waits() -> bool:
            ready = await client.get("/health/ready")
            body: dict[str, Any] = ready.json()
            assert (ready.status_code, body.pop("status")) == (200, "ok")
            return not any(body.values())

        await until(nothing_waits, SECONDS_MAX)
        live = await client.get("/health/live")
        assert (live.status_code, live.json()) == (200, {"status": "ok"})
        assert (await client.get("/health")).status_code == 404
        assert (await client.post("/health/live")).status_code == 405

        worker.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait, timeout=SECONDS_MAX) == 0


async def test_health_tells_what_waits_for_the_worker(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    flags = {"data_dir": str(tmp_path), "worker_health_port": str(port)}
    async with (
        open_gateway(postgres_url),
        a_worker(postgres_url, tmp_path, GATEWAY_WORKER_HEALTH_PORT=str(port)),
    ):

        async def beats() -> bool:
            return heartbeat_file(Settings(data_dir=str(tmp_path))).exists()

        await until(beats, SECONDS_MAX)
        await asyncio.to_thread(health, "worker", flags)
    said = capsys.readouterr().out
    assert said == (
        "The worker lives. Events not looked at: 0. Deliveries waiting: 0, the oldest for 0 s; in flight: 0.\n"
    )


class Away:
    """An event sink that is away."""

    async def publish(self, events: Sequence[FeedEvent]) -> None:
        raise SinkUnavailable(f"{len(events)} events cannot be published.")


class Broken:
    """A job with a bug."""

    async def run(self, stop: asyncio.Event) -> None:
        assert stop.is_set(), "A bug."


async def test_a_worker_tells_of_its_event_sink_and_of_jobs_that_have_failed() -> None:
    settings, stop = Settings(worker_health_port=free_port()), asyncio.Event()
    async with in_memory_gateway() as gateway, open_worker(gateway, settings) as opened:
        storage = gateway.storage
        relay = EventRelay(name="sink", sink=Away(), feed=storage.events, cursors=storage.event_cursors)
        worker = Worker(jobs=Jobs([Broken()]), dispatcher=opened.dispatcher, relay=relay)
        async with (
            answering_health(settings, gateway, worker),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.worker_health_port}", trust_env=False) as client,
        ):
            well = await client.get("/health/ready")
            assert (well.status_code, well.json()["event_sink"]) == (200, {"lag": 0, "active": False, "cause": ""})
            work = asyncio.create_task(worker.jobs.run(stop))

            async def has_failed() -> bool:
                return bool(worker.jobs.failed)

            await until(has_failed, SECONDS_MAX)
            failed = await client.get("/health/ready")
            stop.set()
            await work
    assert failed.status_code == 503
    assert failed.json()["detail"] == "Jobs have failed, and are run again soon: Broken. The log tells why."


async def test_a_worker_that_does_not_answer_is_not_well(tmp_path: Path) -> None:
    heartbeat_file(Settings(data_dir=str(tmp_path))).touch()
    flags = {"data_dir": str(tmp_path), "worker_health_port": str(free_port())}
    with pytest.raises(NoAnswer, match="Nothing answers"):
        await asyncio.to_thread(health, "worker", flags)


async def test_the_sandbox_delivers_beside_its_server(tmp_path: Path) -> None:
    """Nobody starts a worker."""
    settings = Settings(data_dir=str(tmp_path))
    async with (
        open_gateway(settings) as gateway,
        receiver(answering_ok) as receives,
        working(gateway, settings),
    ):
        await endpoint_at(gateway, receives)
        await gateway.execute(register(2, Role.MERCHANT))
        async with asyncio.timeout(SECONDS_MAX):
            await receives.requested.wait()
        assert Webhook(SECRET).verify(receives.requests[0].body, receives.requests[0].headers)
