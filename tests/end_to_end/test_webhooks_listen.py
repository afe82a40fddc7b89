"""`gateway webhooks listen` beside a running sandbox, as a newcomer uses it."""

import asyncio
import re
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from gateway.adapters.jose.keys import generate_pem
from support.example_receivers import receiving
from support.load import PASSWORD, log_in
from support.running_command import RunningCommand, running
from support.sandbox import Sandbox
from support.servers import Installation, Server, free_port
from support.webhook_calls import a_customer, endpoints_of, pay, registration

LISTENING = r"^Listening on http://127\.0\.0\.1:\d+/ for "
EVENT_SECONDS_MAX = 5.0
"""From a payment to the line about it. It takes a tenth of a second where nothing else runs."""


@asynccontextmanager
async def listening(
    gateway: Installation, server: Server, *arguments: str, stdin: str = "", port: int = 0, **environ: str
) -> AsyncGenerator[tuple[RunningCommand, str]]:
    """The command, which listens, and the id of its merchant (or an empty text)."""
    flags = ("--url", server.url, "--port", str(port or free_port()), *arguments)
    async with running(gateway, "webhooks", "listen", *flags, stdin=stdin, **environ) as command:
        await command.until_line(LISTENING)
        merchant = next((line.split()[1].rstrip(",") for line in command.lines if line.startswith("Merchant: ")), "")
        yield command, merchant


def made_up(command: RunningCommand) -> tuple[str, str]:
    """The address and the password of the merchant whom the command has made up."""
    [line] = [line for line in command.lines if line.startswith("Merchant: ")]
    [(email, password)] = re.findall(r"(\S+@example\.com), password (\S+)", line)
    return email, password


async def test_a_payment_appears_verified_and_ctrl_c_leaves_nothing_behind(sandbox: Sandbox) -> None:
    http = sandbox.http
    async with listening(sandbox.gateway, sandbox.server) as (command, merchant_id):
        customer = await a_customer(http)
        payment = await pay(http, customer, merchant_id)
        async with asyncio.timeout(EVENT_SECONDS_MAX):
            line = await command.until_line(payment["id"])
        assert re.fullmatch(rf"\d\d:\d\d:\d\d  payment\.captured +evt_\w+  {payment['id']}  10\.50 USD  verified", line)
        merchant = await log_in(http, *made_up(command))
        assert len(await endpoints_of(http, merchant)) == 1
        assert await command.end(signal.SIGINT) == 0
        assert command.complaints == []
    assert await endpoints_of(http, merchant) == []


async def test_webhooks_are_forwarded_unchanged_and_answered_as_the_target_answers(sandbox: Sandbox) -> None:
    seen: list[tuple[bytes, dict[str, str]]] = []
    statuses = iter([503, 201])

    async def target(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in head.split("\r\n")[1:])}
        body = await reader.readexactly(int(headers["content-length"]))
        assert head.startswith("POST /hooks?shop=1 ")
        seen.append((body, headers))
        writer.write(f"HTTP/1.1 {next(statuses)} X\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n".encode())
        writer.close()

    port = free_port()
    forward_to = ("--forward-to", f"http://127.0.0.1:{port}/hooks?shop=1")
    async with (
        await asyncio.start_server(target, "127.0.0.1", port),
        listening(sandbox.gateway, sandbox.server, *forward_to) as (command, merchant_id),
    ):
        payment = await pay(sandbox.http, await a_customer(sandbox.http), merchant_id)
        await command.until_line(r"verified, forwarded: 503$")
        await command.until_line(r"verified, forwarded: 201$")
        assert await command.end(signal.SIGTERM) == 0

    (body, headers), (again, later) = seen
    assert body == again
    assert payment["id"].encode() in body
    assert headers["webhook-id"] == later["webhook-id"]
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("Gateway-Webhooks/")


async def test_a_receiver_behind_the_listener_verifies_with_the_secret_that_it_prints(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    port = free_port()
    forward_to = ("--forward-to", f"http://127.0.0.1:{port}/")
    async with listening(sandbox.gateway, sandbox.server, *forward_to) as (command, merchant_id):
        secret = (await command.until_line("^Secret: whsec_")).partition(" ")[2]
        async with receiving("python", tmp_path, secret, port=port) as receiver:
            payment = await pay(sandbox.http, await a_customer(sandbox.http), merchant_id)
            await command.until_line(r"verified, forwarded: 204$")
            await receiver.until_handled(1)
    assert receiver.handled == [f"payment.captured {payment['id']}"]


async def test_a_target_that_is_away_is_told(sandbox: Sandbox) -> None:
    away = f"http://127.0.0.1:{free_port()}/"
    async with listening(sandbox.gateway, sandbox.server, "--forward-to", away) as (command, merchant_id):
        await pay(sandbox.http, await a_customer(sandbox.http), merchant_id)
        assert f"verified, but {away} does not answer: " in await command.until_line("payment.captured +evt_")


async def test_what_is_not_signed_is_told_and_refused(sandbox: Sandbox) -> None:
    port = free_port()
    async with (
        listening(sandbox.gateway, sandbox.server, port=port) as (command, merchant_id),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        assert (await http.post("/", content=b"{}")).status_code == 400
        await command.until_line("NOT VERIFIED: Missing required headers")
        strange = [(b"webhook-id", b"caf\xe9"), (b"webhook-timestamp", b"1"), (b"webhook-signature", b"v1")]
        assert (await http.post("/", content=b"\xff", headers=strange)).status_code == 400
        await command.until_line("NOT VERIFIED: Malformed headers or body")
        assert (await http.post("/", content=b" " * 2_000_000)).status_code == 413
        assert (await http.put("/", content=b"{}")).status_code == 405
        about = (await http.get("/")).json()
        assert about["merchant_id"] == merchant_id
        assert about.keys() == {"object", "merchant_id", "endpoint_id", "events"}


async def test_an_operator_hears_of_all_merchants_and_filters_choose(sandbox: Sandbox) -> None:
    http = sandbox.http
    signed_in = ("--email", sandbox.operator_email, "--password-stdin")
    filters = ("--events", "payment.*", "--events", "payout.succeeded")
    async with listening(sandbox.gateway, sandbox.server, *signed_in, *filters, stdin=f"{PASSWORD}\n") as (command, _):
        assert not any(line.startswith("Merchant: ") for line in command.lines)
        customer = await a_customer(http)
        for _ in range(2):
            shop = (await http.post("/users/register", json=registration("merchant"))).json()
            payment = await pay(http, customer, shop["id"])
            await command.until_line(payment["id"])
        assert await command.end() == 0
        assert {line.split()[1] for line in command.lines if "verified" in line} == {"payment.captured"}


async def test_an_endpoint_that_a_killed_listener_has_left_is_replaced(sandbox: Sandbox) -> None:
    http, port = sandbox.http, free_port()
    shop = (await http.post("/users/register", json=registration("merchant"))).json()
    merchant = await log_in(http, shop["email"])
    token = merchant["Authorization"].removeprefix("Bearer ")
    for end in (signal.SIGKILL, signal.SIGTERM):
        async with listening(sandbox.gateway, sandbox.server, port=port, GATEWAY_TOKEN=token) as (command, merchant_id):
            assert merchant_id == shop["id"]
            assert not any("password" in line for line in command.lines)
            assert len(await endpoints_of(http, merchant)) == 1
            payment = await pay(http, await a_customer(http), shop["id"])
            await command.until_line(f"{payment['id']}.* verified")
            await command.end(end)
    assert await endpoints_of(http, merchant) == []


async def test_the_listener_says_when_its_endpoint_stays(tmp_path: Path) -> None:
    gateway = Installation(tmp_path)
    async with gateway.serving() as server, listening(gateway, server) as (command, _):
        await server.kill()
        assert await command.end() == 1
        [complaint] = command.complaints
        assert re.match(r"Error: The endpoint whe_\w+ could not be deleted and stays\. No gateway answers", complaint)


async def test_what_is_wrong_is_told_in_a_sentence(sandbox: Sandbox) -> None:
    url, port = ("--url", sandbox.url), free_port()
    to, wrong_password = "--forward-to", ("--email", "x@example.com", "--password-stdin")
    for code, arguments, stdin, sentence in (
        (1, ("--url", "http://127.0.0.1:9"), "", "No gateway answers at http://127.0.0.1:9: "),
        (1, ("--url", "http://ada:secret@127.0.0.1:9"), "", "No gateway answers at http://ada:***@127.0.0.1:9: "),
        (2, ("--url", "nowhere"), "", "nowhere is no URL of a gateway."),
        (1, (*url, "--events", "payment.paid"), "", "There are no events of the type payment.paid."),
        (2, ("--url", "http://127.0.0.1:99999"), "", "http://127.0.0.1:99999 is no URL of a gateway."),
        (2, ("--url", "ftp://ada:secret@shop"), "", "ftp://ada:***@shop is no URL of a gateway."),
        (2, (*url, to, "shop"), "", "shop is no URL of HTTP."),
        (2, (*url, to, "http://127.0.0.1:99999/"), "", "http://127.0.0.1:99999/ is no URL of HTTP."),
        (2, (to, f"http://localhost:{port}/x"), "", "is where this command itself listens."),
        (2, (to, f"http://0.0.0.0:{port}/x"), "", "is where this command itself listens."),
        (1, (*url, *wrong_password), "wrong\n", "invalid_credentials"),
    ):
        done = await sandbox.gateway.run("webhooks", "listen", "--port", str(port), *arguments, stdin=stdin)
        assert (done.exit_code, done.said) == (code, ""), arguments
        assert "secret" not in done.complained
        *usage, complaint = done.complained.splitlines()
        assert complaint.startswith("Error: ")
        assert sentence in complaint
        assert bool(usage) == (code == 2)
    taken = await sandbox.gateway.run("webhooks", "listen", *url, "--port", str(sandbox.server.port))
    assert taken.exit_code == 1
    expected = f"Cannot listen on 127.0.0.1, port {sandbox.server.port}: Address already in use. Choose another one"
    assert taken.complained.startswith(f"Error: {expected}")


async def test_it_does_nothing_in_production(empty_postgres_url: str, tmp_path: Path) -> None:
    environ = (("GATEWAY_ENVIRONMENT", "production"), ("GATEWAY_TOKEN_PRIVATE_KEY", generate_pem()))
    gateway = Installation(tmp_path, empty_postgres_url, environ)
    assert (await gateway.run("migrate")).exit_code == 0
    async with gateway.serving() as server:
        for command in (("webhooks", "listen", "--port", str(free_port())), ("trigger", "payment.captured")):
            done = await gateway.run(*command, "--url", server.url)
            assert done.exit_code == 1
            assert done.complained.startswith(f"Error: The gateway at {server.url} is no sandbox: ")
    async with gateway.connected() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM users")).scalar_one() == 0


async def test_another_server_than_a_gateway_is_recognized(tmp_path: Path) -> None:
    async def web_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<p>Hi")
        writer.close()

    port = free_port()
    async with await asyncio.start_server(web_page, "127.0.0.1", port):
        flags = ("--url", f"http://127.0.0.1:{port}", "--port", str(free_port()))
        done = await Installation(tmp_path).run("webhooks", "listen", *flags)
    assert (done.exit_code, done.said) == (1, "")
    assert done.complained == f"Error: What answers at http://127.0.0.1:{port} is no gateway.\n"


async def test_of_two_listeners_on_one_port_the_second_says_that_it_is_taken(sandbox: Sandbox) -> None:
    port = free_port()
    async with listening(sandbox.gateway, sandbox.server, port=port):
        done = await sandbox.gateway.run("webhooks", "listen", "--url", sandbox.url, "--port", str(port))
    assert (done.exit_code, done.said) == (1, "")
    assert f"Cannot listen on 127.0.0.1, port {port}" in done.complained


async def test_a_proxy_of_the_environment_is_not_asked_for_this_machine_and_nonsense_is_told(sandbox: Sandbox) -> None:
    proxied = {"http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9"}
    done = await sandbox.gateway.run("trigger", "payment.captured", "--url", sandbox.url, **proxied)
    assert done.exit_code == 0, done.complained
    for name, value in (("ALL_PROXY", "foo://bar"), ("SSL_CERT_FILE", "/nonexistent")):
        done = await sandbox.gateway.run("trigger", "payment.captured", "--url", "https://192.0.2.1", **{name: value})
        assert (done.exit_code, done.said) == (1, "")
        assert done.complained.startswith("Error: HTTP_PROXY, ")
        assert len(done.complained.splitlines()) == 1
