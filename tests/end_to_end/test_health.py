"""`gateway health` asks the server where it listens, or looks for the worker of this host; the image uses it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.adapters.sql import migrate
from gateway.entrypoints.health import address_of
from gateway.entrypoints.heartbeat import heartbeat_file
from gateway.settings.reader import read_settings
from support.image import image_variables, last_stage, services
from support.processes import DEVNULL, Done, started
from support.servers import STOP_SECONDS_MAX, Installation, free_port

EVERYWHERE = "0.0.0.0"  # noqa: S104 - a server in a container listens so.
BOUND_SECONDS = 15.0


@pytest.mark.parametrize(
    "where", [{}, {"GATEWAY_HOST": EVERYWHERE}, {"GATEWAY_ROOT_PATH": "/pay/v1"}, {"GATEWAY_HOST": "localhost"}]
)
async def test_a_server_is_found_wherever_its_settings_say(tmp_path: Path, where: dict[str, str]) -> None:
    environ = where | {"GATEWAY_PORT": str(free_port())}
    gateway = Installation(tmp_path, environ=tuple(environ.items()))
    before = await gateway.run("health")
    async with _running(gateway, "serve"):
        done = await _until_well(gateway)
    after = await gateway.run("health")

    assert (done.exit_code, done.complained) == (0, "")
    host = {EVERYWHERE: "127.0.0.1"}.get(where.get("GATEWAY_HOST", ""), where.get("GATEWAY_HOST", "127.0.0.1"))
    path = f"{where.get('GATEWAY_ROOT_PATH', '')}/health/live"
    assert done.said == f"The server at http://{host}:{environ['GATEWAY_PORT']}{path} lives.\n"
    for gone in (before, after):
        assert (gone.exit_code, gone.said) == (1, "")
        assert gone.complained.startswith("Error: Nothing answers at http://")
        assert len(gone.complained.splitlines()) == 1


@pytest.mark.parametrize(
    ("host", "asked"),
    [(EVERYWHERE, "127.0.0.1"), ("::", "::1"), ("10.0.0.7", "10.0.0.7"), ("api.example.com", "api.example.com")],
)
def test_a_server_that_listens_everywhere_is_asked_on_the_loopback_interface(host: str, asked: str) -> None:
    assert address_of(host) == asked


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"", "no answer within 2 s"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "it answered 503"),
        (b"x" * 200_000, "Nothing answers"),
    ],
)
async def test_a_server_that_is_not_well_is_told_of_in_time(tmp_path: Path, answer: bytes, complaint: str) -> None:
    over = asyncio.Event()

    async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await over.wait()
        writer.close()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        began = time.monotonic()
        port = str(server.sockets[0].getsockname()[1])
        done = await Installation(tmp_path).run("health", "--port", port)
        over.set()

    assert (done.exit_code, done.said) == (1, "")
    assert complaint in done.complained
    assert len(done.complained.splitlines()) == 1
    assert time.monotonic() - began < BOUND_SECONDS


async def test_a_worker_is_found_by_its_sign_of_life(tmp_path: Path) -> None:
    environ = (("GATEWAY_PORT", str(free_port())),)
    gateway = Installation(tmp_path, environ=environ)
    await migrate(read_settings(gateway.environment).url)
    heartbeat = heartbeat_file(read_settings(gateway.environment))

    async with _running(gateway, "worker") as worker:
        done = await _until_well(gateway)
        alone = await gateway.run("health", "--worker")
        server = await gateway.run("health", "--server")
        worker.send_signal(signal.SIGSTOP)
        os.utime(heartbeat, (time.time() - 31, time.time() - 31))
        frozen = await gateway.run("health")
        worker.send_signal(signal.SIGCONT)
        again = await _until_well(gateway)

    assert (done.exit_code, done.said, done.complained) == (0, "The worker lives.\n", "")
    assert (alone.exit_code, alone.said) == (0, "The worker lives.\n")
    assert server.complained.startswith("Error: Nothing answers at http://127.0.0.1:")
    assert (frozen.exit_code, frozen.said) == (1, "")
    assert frozen.complained.startswith("Error: The worker has left no sign of life for 3")
    assert again.exit_code == 0
    ended = await gateway.run("health", "--worker")
    assert (ended.exit_code, ended.said) == (1, "")
    assert ended.complained.startswith("Error: No worker of this host has left a sign of life: ")


def test_the_image_asks_gateway_health_about_the_server_that_its_variables_set() -> None:
    last = dict(line.split(" ", 1) for line in last_stage())

    assert json.loads(last["HEALTHCHECK"].partition(" CMD ")[2]) == ["gateway", "health"]
    # A flag would be seen by the server alone.
    assert json.loads(last["CMD"]) == ["serve"]
    assert image_variables()["GATEWAY_HOST"] == EVERYWHERE


def test_compose_asks_gateway_health() -> None:
    composed = services()

    assert composed["gateway"]["healthcheck"]["test"] == ["CMD", "gateway", "health"]
    assert composed["worker"]["healthcheck"]["test"] == ["CMD", "gateway", "health", "--worker"]


@asynccontextmanager
async def _running(gateway: Installation, name: str) -> AsyncGenerator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "gateway", name]
    with started(command, cwd=gateway.folder, env=gateway.environment, stdout=DEVNULL, stderr=DEVNULL) as process:
        yield process
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, STOP_SECONDS_MAX) == 0


async def _until_well(gateway: Installation) -> Done:
    async with asyncio.timeout(60):
        while True:
            done = await gateway.run("health")
            if done.exit_code == 0:
                return done
