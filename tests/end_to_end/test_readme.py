"""The README's first minutes, as pasted into a shell."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.pasting import blocks, paste
from support.running_command import running
from support.servers import Installation, Server, free_port

COLUMNS_MAX = 80


def curl_lines() -> str:
    [lines] = [block for block in blocks("README.md", "sh") if "curl" in block]
    return lines


def first_key_of(server: Server) -> str:
    """The line that `make run` prints on its first start, for pasting."""
    [line] = re.findall(r"^ *(K=gk_test_\S+ A=acc_\S+ M=usr_\S+)$", server.log(), re.MULTILINE)
    return f"{line}\n"


def answers_shown() -> str:
    [answers] = [block for block in blocks("README.md", "") if block.startswith("{")]
    return answers


@pytest.mark.parametrize("shell", ["bash", "dash"])
async def test_the_curl_lines_of_the_readme_work_as_pasted_and_the_last_ones_replay(tmp_path: Path, shell: str) -> None:
    last_four = "".join(curl_lines().splitlines(keepends=True)[-4:])
    assert last_four.startswith("post /deposits ")
    gateway = Installation(tmp_path)
    async with gateway.serving("--first-key") as server:
        said = await paste(first_key_of(server) + curl_lines() + last_four, gateway, server, shell=shell)

    deposit, payment, listed, *again = [json.loads(line) for line in said.splitlines()]
    assert deposit["object"] == "deposit"
    assert payment["object"] == "payment"
    assert payment["amount"] == 1050
    assert payment["description"] == "Two coffees"
    [transaction] = listed["data"]
    assert transaction["payment_id"] == payment["id"]
    assert again == [deposit, payment, listed]
    assert_as_shown(said.splitlines()[:3])
    await gateway.verify()


async def test_a_payment_of_the_readme_arrives_as_a_webhook_in_the_next_terminal(tmp_path: Path) -> None:
    [line] = [block for block in blocks("README.md", "sh") if "webhooks listen" in block]
    [shown] = [block for block in blocks("README.md", "") if "verified" in block]
    assert re.fullmatch(r"\.venv/bin/gateway webhooks listen\n", line)
    gateway, port = Installation(tmp_path), free_port()
    ports = ("--port", str(port))
    async with (
        gateway.serving("--first-key") as server,
        running(gateway, *line.split()[1:], "--url", server.url, *ports) as listener,
    ):
        await listener.until_line("^Listening on ")
        said = await paste(first_key_of(server) + curl_lines(), gateway, server, listener_port=port)
        arrived = await listener.until_line("verified$")
        assert await listener.end() == 0
        assert listener.complaints == []

    payment = json.loads(said.splitlines()[1])
    assert payment["id"] in arrived
    assert_like(shown.rstrip("\n").replace("12:34:56", "…"), re.sub(" {2,}", "  ", arrived))


async def test_the_first_key_is_shown_once_and_not_stored(tmp_path: Path) -> None:
    gateway = Installation(tmp_path)
    async with gateway.serving("--first-key") as server:
        key = first_key_of(server).split()[0].removeprefix("K=")
    async with gateway.serving("--first-key") as server:
        assert "K=" not in server.log()
        async with server.client() as http:
            answer = await http.get("/users/me", headers={"authorization": f"Bearer {key}"})
        assert answer.json()["email"] == "customer@sandbox.example"
    secret = key[-40:].encode()
    assert all(secret not in file.read_bytes() for file in (tmp_path / "data").iterdir() if file.is_file())


def assert_as_shown(lines: list[str]) -> None:
    """What the README shows stands in the answers, part after part; `…` is whatever is left out."""
    for shown, line in zip(answers_shown().splitlines(), lines, strict=True):
        assert_like(shown, line)


def assert_like(shown: str, line: str) -> None:
    assert re.fullmatch(".*".join(map(re.escape, shown.split("…"))), line), (shown, line)


def test_the_curl_lines_fit_a_terminal() -> None:
    lines = [*curl_lines().splitlines(), *answers_shown().splitlines()]
    assert max(map(len, lines)) <= COLUMNS_MAX


def test_the_example_of_embedding_runs_as_pasted(tmp_path: Path) -> None:
    [example] = blocks("README.md", "python")
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "captured\n"
