"""`gateway events tail`: the events of a running gateway, over lost connections too."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from support.load import PASSWORD, log_in
from support.running_command import RunningCommand, running
from support.sandbox import Sandbox
from support.servers import Installation
from support.webhook_calls import a_customer, pay, registration

SIGNED_IN = ("--email", "op@example.com", "--password-stdin")


async def with_operator(folder: Path) -> Installation:
    """A gateway with an operator, who sees all events."""
    gateway = Installation(folder)
    done = await gateway.run("create-operator", *SIGNED_IN, stdin=f"{PASSWORD}\n")
    assert done.exit_code == 0, done.complained
    return gateway


def events_in(command: RunningCommand) -> list[dict[str, Any]]:
    """The events that a command has printed as JSON."""
    return [json.loads(line) for line in command.lines]


async def test_a_tail_goes_on_after_the_last_event_when_the_gateway_comes_back(tmp_path: Path) -> None:
    gateway = await with_operator(tmp_path)
    async with gateway.serving() as server, server.client() as http:
        url = ("--url", server.url)
        shop = (await http.post("/users/register", json=registration("merchant"))).json()
        before = await pay(http, await a_customer(http), shop["id"])
        arguments = ("events", "tail", "--json", "--type", "payment.*", *url, *SIGNED_IN)
        async with running(gateway, *arguments, "--after", "0", stdin=f"{PASSWORD}\n") as command:
            await command.until_line(before["id"])
            await server.kill()
            await command.until_line("Connecting again after position", complaint=True)
            await server.start()
            customer = await a_customer(http)
            after = [(await pay(http, customer, shop["id"]))["id"] for _ in range(5)]
            await command.until_line(after[-1])
            assert await command.end(signal.SIGINT) == 0
            events = events_in(command)
    assert len(command.complaints) == len(set(command.complaints)), "A reason was told at each try."
    assert [event["data"]["object"]["id"] for event in events] == [before["id"], *after]
    assert {event["type"] for event in events} == {"payment.captured"}
    positions = [event["position"] for event in events]
    assert positions == sorted(set(positions))


async def test_a_tail_begins_with_what_happens_next_and_prints_lines_for_people(sandbox: Sandbox) -> None:
    http = sandbox.http
    shop = (await http.post("/users/register", json=registration("merchant"))).json()
    other = (await http.post("/users/register", json=registration("merchant"))).json()
    customer = await a_customer(http)
    before = await pay(http, customer, shop["id"])
    token = (await log_in(http, shop["email"]))["Authorization"].removeprefix("Bearer ")
    async with running(sandbox.gateway, "events", "tail", "--url", sandbox.url, GATEWAY_TOKEN=token) as command:
        # It has said nothing that it could be awaited by: payments are made until one of them is seen.
        payment = before
        while not command.lines:
            await pay(http, customer, other["id"])
            payment = await pay(http, customer, shop["id"])
        line = await command.until_line(payment["id"])
        assert await command.end(signal.SIGTERM) == 0
        assert command.complaints == []
    assert line.split()[1] == "payment.captured"
    assert "10.50 USD  position " in line
    assert not any(before["id"] in each for each in command.lines)
    assert all(" pay_" in each for each in command.lines)
    assert len(command.lines) == len(set(command.lines))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_tail_ends_while_it_waits_for_the_sign_in(tmp_path: Path, number: signal.Signals) -> None:
    is_connected = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_connected.set()
        await reader.read()  # Until the command closes the connection.
        writer.close()

    async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as silent:
        url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
        async with running(Installation(tmp_path), "events", "tail", "--url", url, GATEWAY_TOKEN="eyJ") as command:
            await is_connected.wait()
            assert await command.end(number) == 0
            assert (command.lines, command.complaints) == ([], [])


async def test_a_tail_says_who_must_sign_in_and_what_is_refused(sandbox: Sandbox) -> None:
    tail = ("events", "tail", "--url", sandbox.url)
    for arguments, environ, code, sentence in (
        (tail, {}, 2, "Sign in with --email, or set GATEWAY_TOKEN"),
        ((*tail, "--password-stdin"), {}, 2, "--password-stdin needs --email."),
        (tail, {"GATEWAY_TOKEN": "wrong"}, 1, "401 token_invalid"),
        (tail, {"GATEWAY_TOKEN": "a\nb"}, 1, "GATEWAY_TOKEN is no access token: it has a blank"),
        (tail, {"GATEWAY_TOKEN": "\u00e9"}, 1, "GATEWAY_TOKEN is no access token"),
        ((*tail, *SIGNED_IN), {}, 1, "401 invalid_credentials"),
        (
            ("events", "tail", "--url", "http://127.0.0.1:9", *SIGNED_IN),
            {},
            1,
            "No gateway answers at http://127.0.0.1:9",
        ),
    ):
        done = await sandbox.gateway.run(*arguments, stdin="a wrong passphrase\n", **environ)
        assert (done.exit_code, done.said) == (code, "")
        assert sentence in done.complained


async def test_the_settings_do_not_refuse_the_token_of_these_commands(tmp_path: Path) -> None:
    done = await Installation(tmp_path).run("settings", GATEWAY_TOKEN="eyJ")
    assert (done.exit_code, done.complained) == (0, "")
    assert "eyJ" not in done.said
