"""The receivers of examples/webhooks, each as a process: what they take, refuse, and handle once."""

import base64
import json
import shutil
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from support.example_receivers import EXAMPLES, Receiver, ReceiverEndedError, receiving
from support.load import log_in
from support.pasting import blocks
from support.processes import run_to_end
from support.sandbox import Sandbox
from support.servers import free_port
from support.webhook_calls import a_customer, done, pay, registration

LANGUAGES = ("python", "node", "shell")
SECRET, OTHER_SECRET = (f"whsec_{base64.b64encode(bytes([byte]) * 32).decode()}" for byte in (1, 255))


def an_event(number: int, *, kind: str = "payment.captured", sequence: int = 1, payment: str = "pay_1") -> str:
    """An event as it is sent."""
    thing = {"id": payment, "object": "payment", "description": 'Zwei „Kaffee“, "data":{"object":{"id":"x"}}'}
    event = {"id": f"evt_{number}", "object": "event", "type": kind, "position": number, "sequence": sequence}
    content = {**event, "created_at": "2026-01-02T03:04:05.678901Z", "data": {"object": thing}}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def signed(
    body: str, *secrets: str, event_id: str = "", timestamp: str = "", age: timedelta = timedelta(0)
) -> dict[str, str]:
    """The headers of a webhook, signed with each of the secrets; another id or timestamp is what was not signed."""
    sent_at = datetime.now(UTC) - age
    signed_id = json.loads(body)["id"]
    return {
        "content-type": "application/json",
        "webhook-id": event_id or signed_id,
        "webhook-timestamp": timestamp or str(int(sent_at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(signed_id, sent_at, body) for secret in secrets),
    }


@pytest.fixture(params=LANGUAGES)
async def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Receiver]:
    async with receiving(request.param, tmp_path, SECRET) as running:
        yield running


async def post(receiver: Receiver, body: str, headers: dict[str, str]) -> int:
    async with httpx.AsyncClient(timeout=30) as http:
        return (await http.post(receiver.url, content=body.encode(), headers=headers)).status_code


async def test_a_receiver_handles_each_event_once(receiver: Receiver) -> None:
    for number in (1, 2, 1, 1):
        body = an_event(number, sequence=number)
        assert await post(receiver, body, signed(body, SECRET)) == 204

    await receiver.until_handled(2)
    assert receiver.handled == ["payment.captured pay_1", "payment.captured pay_1"]


async def test_a_receiver_takes_one_of_two_signatures_while_the_secret_is_rotated(receiver: Receiver) -> None:
    for number, secrets in enumerate([(SECRET, OTHER_SECRET), (OTHER_SECRET, SECRET)]):
        body = an_event(number, payment=f"pay_{number}")
        assert await post(receiver, body, signed(body, *secrets)) == 204

    await receiver.until_handled(2)


async def test_a_receiver_refuses_what_the_gateway_has_not_signed(receiver: Receiver) -> None:
    body = an_event(1)
    right = signed(body, SECRET)
    for headers in (
        signed(body, OTHER_SECRET),
        signed(body, SECRET, event_id="evt_2"),
        signed(body, SECRET, timestamp=str(int(right["webhook-timestamp"]) - 1)),
        signed(body, SECRET, timestamp="now"),
        signed(body, SECRET, age=timedelta(minutes=6)),
        signed(body, SECRET, age=-timedelta(minutes=6)),
        {**right, "webhook-signature": right["webhook-signature"].replace("v1,", "v2,")},
        {**right, "webhook-signature": right["webhook-signature"][:-4]},
        {**right, "webhook-signature": "v1"},
        {**right, "webhook-signature": "* ?"},
        *({name: text for name, text in right.items() if name != left_out} for left_out in right if "-id" in left_out),
        {name: text for name, text in right.items() if name != "webhook-timestamp"},
        {name: text for name, text in right.items() if name != "webhook-signature"},
    ):
        assert await post(receiver, body, headers) == 400, headers
    assert await post(receiver, body.replace("Zwei", "Drei"), right) == 400
    assert receiver.handled == []

    assert await post(receiver, body, right) == 204
    await receiver.until_handled(1)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_xx", "whsec_not base64 at all, but long enough to be one"])
@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_receiver_without_the_secret_of_an_endpoint_takes_nothing(
    language: str, secret: str, tmp_path: Path
) -> None:
    """What is signed with an empty key, or not at all, is not taken."""
    body = an_event(1)
    signatures = ("v1,", "v1,x", Webhook(b"\0").sign("evt_1", datetime.now(UTC), body))
    with suppress(ReceiverEndedError):
        async with receiving(language, tmp_path, secret) as receiver:
            for signature in signatures:
                headers = {**signed(body, SECRET), "webhook-signature": signature}
                assert await post(receiver, body, headers) in {400, 503}


async def test_the_shell_receiver_takes_nothing_when_openssl_fails(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "env", "cat", "date", "head", "ln", "mkdir", "mktemp", "od", "rm", "sed", "tr"):
        (tools / name).symlink_to(shutil.which(name) or "")
    body = an_event(1)
    headers = {**signed(body, SECRET), "content-length": str(len(body.encode()))}
    lines = ["POST / HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", body]
    for openssl in (None, "exit 1", "echo", "[[ $1 == base64 && $2 == -d ]] && exec base64 -d; exit 1"):
        if openssl is not None:
            (tools / "openssl").write_text(f"#!{tools}/bash\n{openssl}\n")
            (tools / "openssl").chmod(0o755)
        done = await run_to_end(
            [str(EXAMPLES / "receiver.sh")],
            cwd=tmp_path,
            env={"PATH": str(tools), "WEBHOOK_SECRET": SECRET},
            stdin="\r\n".join(lines),
            seconds_max=30,
        )
        assert "204" not in done.said
        assert not (tmp_path / "events" / "evt_1.json").exists()


async def test_a_receiver_refuses_a_body_that_is_too_large(receiver: Receiver) -> None:
    body = an_event(1, payment="p" * 1_100_000)
    with suppress(httpx.TransportError):  # It has answered, and closed the connection, before it was sent everything.
        assert await post(receiver, body, signed(body, SECRET)) == 413
    assert receiver.handled == []


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_receiver_takes_what_a_gateway_sends(language: str, sandbox: Sandbox, tmp_path: Path) -> None:
    http, port = sandbox.http, free_port()
    shop = (await http.post("/users/register", json=registration("merchant"))).json()
    merchant = await log_in(http, shop["email"])
    body = {"url": f"http://127.0.0.1:{port}/", "events": ["payment.*", "refund.succeeded"]}
    endpoint = await done(http, merchant, "/webhook-endpoints", body)
    async with receiving(language, tmp_path, endpoint["secret"], port=port) as receiver:
        customer = await a_customer(http)
        held = await pay(http, customer, shop["id"], capture="manual", description="Zwei „Kaffee“")
        for amount, final in ((400, False), (650, True)):
            await done(http, merchant, f"/payments/{held['id']}/capture", {"amount": amount, "final": final})
        refund = await done(http, merchant, f"/payments/{held['id']}/refunds", {})
        await receiver.until_handled(5)
    kinds = ("authorized", "partially_captured", "captured", "refunded")
    of_payment = [line for line in receiver.handled if line.startswith("payment.")]
    assert of_payment == [f"payment.{kind} {held['id']}" for kind in kinds]
    assert f"refund.succeeded {refund['id']}" in receiver.handled


async def test_an_older_state_does_not_replace_a_newer_one(tmp_path: Path) -> None:
    async with receiving("python", tmp_path, SECRET) as receiver:
        for number, sequence in enumerate((2, 1)):
            body = an_event(number, sequence=sequence)
            assert await post(receiver, body, signed(body, SECRET)) == 204
        await receiver.until_handled(2)
    with closing(sqlite3.connect(tmp_path / "receiver.sqlite3")) as database:
        assert database.execute("SELECT id, sequence FROM objects").fetchall() == [("pay_1", 2)]


def test_the_page_shows_what_the_receivers_do() -> None:
    for language, receiver in (("python", "receiver.py"), ("js", "receiver.mjs"), ("bash", "receiver.sh")):
        [shown] = blocks("docs/webhooks.md", language)
        assert shown in (EXAMPLES / receiver).read_text(encoding="utf-8")
