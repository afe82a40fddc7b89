"""What real processes write to standard error: a line for each request, and one for an outage."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.processes import DEVNULL, started
from support.servers import Installation, Server, free_port

AWAY = "postgresql://gateway:hunter2@127.0.0.1:9/gateway"
SECRET = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"


def lines_of(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]


def requests_in(server: Server) -> list[dict[str, Any]]:
    return [line for line in lines_of(server) if line["event"] == "request"]


async def test_a_server_logs_a_line_of_json_for_each_request(tmp_path: Path) -> None:
    async with Installation(tmp_path).serving() as server, server.client() as http:
        before = len(requests_in(server))
        answer = await http.get("/payments/pay_1?hunter2=hunter2")
        await server.until_read()  # The line is written when the response is sent.
        [line] = [each for each in requests_in(server)[before:] if not each["route"].startswith("/health/")]

    assert (line["method"], line["route"], line["status"]) == ("GET", "/payments/{payment_id}", 401)
    assert (line["code"], line["request_id"]) == ("token_missing", answer.headers["request-id"])
    assert line.keys() == {
        *("event", "level", "logger", "timestamp"),
        *("method", "route", "status", "ms", "request_id", "code"),
    }
    assert "hunter2" not in server.log()


@pytest.mark.parametrize("flags", [("--access-log", "off"), ("--log-level", "warning")])
async def test_a_flag_ends_these_lines(tmp_path: Path, flags: tuple[str, str]) -> None:
    async with Installation(tmp_path).serving(*flags) as server, server.client() as http:
        await http.get("/payments")
        assert requests_in(server) == []


def test_production_logs_json_also_on_a_terminal(tmp_path: Path) -> None:
    leader, follower = os.openpty()
    environ = {"GATEWAY_ALLOW_SQLITE_IN_PRODUCTION": "true", "GATEWAY_TOKEN_ALGORITHM": "HS256"}
    gateway = Installation(tmp_path, environ=(*environ.items(), ("GATEWAY_TOKEN_SECRET", SECRET)))
    subprocess.run(
        [sys.executable, "-m", "gateway", "migrate"], cwd=tmp_path, env=gateway.environment, check=True, timeout=60
    )
    port = free_port()
    command = [sys.executable, "-m", "gateway", "serve", "--environment", "production", "--port", str(port)]
    try:
        with started(command, cwd=tmp_path, env=gateway.environment, stdout=DEVNULL, stderr=follower) as process:
            said = b""
            while b"\n" not in said:
                said += os.read(leader, 4096)
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
    finally:
        os.close(leader)
        os.close(follower)

    assert isinstance(json.loads(said.splitlines()[0]), dict)


def test_a_server_whose_database_is_away_at_the_start_says_so_in_a_line_with_the_cause(tmp_path: Path) -> None:
    environ = Installation(tmp_path, database_url=AWAY).environment
    done = subprocess.run(
        [sys.executable, "-m", "uvicorn", "--factory", "gateway.entrypoints.api:app", "--port", str(free_port())],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode != 0
    [told, _exiting] = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
    assert "The database cannot be reached. ([Errno 111] Connection refused)" in told
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


def test_a_worker_whose_database_is_away_at_the_start_says_so_in_a_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "worker"],
        cwd=tmp_path,
        env=Installation(tmp_path, database_url=AWAY).environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("Error: The database cannot be reached. (")
