"""`gateway trigger`: every type of event that takes no operator, by real requests."""

import json
from pathlib import Path

import pytest

from gateway.domain.event_type import EventType
from gateway.entrypoints.cli import main
from gateway.entrypoints.remote.by_operators import BY_OPERATORS
from gateway.entrypoints.remote.event_lines import event_line
from gateway.entrypoints.remote.scenarios import SCENARIOS
from gateway.entrypoints.remote.trigger import cause
from support import gateway_with_another_clock
from support.gateway_with_another_clock import CLOCK_FILE, set_ahead
from support.load import PASSWORD, log_in
from support.running_command import running
from support.sandbox import Sandbox
from support.servers import Installation
from support.webhook_calls import done, endpoints_of, registration

TESTS = Path(__file__).parents[1]
QUICK = [event_type for event_type in SCENARIOS if event_type is not EventType.PAYMENT_EXPIRED]


def test_every_type_has_a_scenario_or_takes_an_operator() -> None:
    assert set(SCENARIOS) | set(BY_OPERATORS) == set(EventType)
    assert not set(SCENARIOS) & set(BY_OPERATORS)


@pytest.mark.parametrize("event_type", QUICK)
async def test_each_type_happens(event_type: EventType, sandbox: Sandbox) -> None:
    """As the command does it, in this process: starting it for each type takes minutes on a busy machine."""
    event = await cause(event_type, sandbox.url, merchant_id=None, currency="USD", sign_in=None)
    assert event["type"] == event_type
    assert event_type.value in event_line(event)


async def test_a_hold_expires_after_a_minute(tmp_path: Path) -> None:
    set_ahead(clock := tmp_path / "clock", 0)
    environ = (("PYTHONPATH", str(TESTS)), (CLOCK_FILE, str(clock)))
    gateway = Installation(tmp_path, environ=environ, module=gateway_with_another_clock.__name__)
    async with (
        gateway.serving() as server,
        running(gateway, "trigger", "payment.expired", "--url", server.url) as command,
    ):
        await command.until_line("expires in 60 s", complaint=True)
        set_ahead(clock, 61)
        assert "payment.expired" in await command.until_line("pay_")
        assert await command.process.wait() == 0


async def test_a_merchant_who_signs_in_gets_the_event_and_other_endpoints_stay(sandbox: Sandbox) -> None:
    http = sandbox.http
    shop = (await http.post("/users/register", json=registration("merchant"))).json()
    merchant = await log_in(http, shop["email"])
    endpoint = await done(http, merchant, "/webhook-endpoints", {"url": "http://127.0.0.1:9/", "events": ["*"]})
    signed_in = ("--url", sandbox.url, "--email", shop["email"], "--password-stdin")
    for name in ("refund.succeeded", "endpoint.test", "endpoint.disabled"):
        triggered = await sandbox.gateway.run("trigger", name, *signed_in, stdin=f"{PASSWORD}\n")
        assert (triggered.exit_code, triggered.complained) == (0, "")
        assert triggered.said.split()[1] == name
    events = (await http.get("/events?limit=100", headers=merchant)).json()["data"]
    assert {"refund.succeeded", "endpoint.test", "endpoint.disabled"} <= {event["type"] for event in events}
    [tested] = [event for event in events if event["type"] == "endpoint.test"]
    assert tested["data"]["object"]["id"] == endpoint["id"]
    [left] = await endpoints_of(http, merchant)
    assert (left["id"], left["enabled"]) == (endpoint["id"], True)


async def test_a_merchant_who_does_not_sign_in_can_be_paid(sandbox: Sandbox) -> None:
    http = sandbox.http
    shop = (await http.post("/users/register", json=registration("merchant"))).json()
    url, paid = ("--url", sandbox.url), ("--merchant-id", shop["id"])
    triggered = await sandbox.gateway.run("trigger", "payment.captured", *url, *paid)
    assert triggered.exit_code == 0, triggered.complained
    merchant = await log_in(http, shop["email"])
    [payment] = (await http.get("/payments", headers=merchant)).json()["data"]
    assert payment["id"] in triggered.said
    for arguments, sentence in (
        (
            ("refund.succeeded", *paid),
            "Only the merchant can cause refund.succeeded: sign in as that merchant with --email",
        ),
        (("payment.captured", "--merchant-id", "usr_x"), "404 merchant_not_found"),
        (("payment.captured", *paid, "--currency", "EUR"), "422 currency_mismatch"),
    ):
        refused = await sandbox.gateway.run("trigger", *arguments, *url)
        assert (refused.exit_code, refused.said) == (1, "")
        assert sentence in refused.complained


@pytest.mark.parametrize("event_type", BY_OPERATORS)
def test_what_takes_an_operator_is_refused_and_says_what_does_it(
    event_type: EventType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["trigger", event_type.value], prog_name="gateway")
    assert ended.value.code == 1
    expected = f"Error: {event_type} cannot be triggered without an operator: an operator "
    assert capsys.readouterr().err.startswith(expected)


async def test_unknown_types_are_refused_and_all_are_listed(tmp_path: Path) -> None:
    gateway = Installation(tmp_path)
    unknown, none, listed = [
        await gateway.run("trigger", *arguments) for arguments in (("payment.paid",), (), ("--list",))
    ]
    assert (unknown.exit_code, none.exit_code, listed.exit_code) == (2, 2, 0)
    assert "Error: There are no events of the type payment.paid." in unknown.complained
    assert "Which type?" in none.complained
    assert [line.split()[0] for line in listed.said.splitlines()] == list(EventType)


async def test_the_types_are_shown_with_their_examples(tmp_path: Path) -> None:
    gateway = Installation(tmp_path)
    shown, page = await gateway.run("events", "types"), await gateway.run("events", "types", "--markdown")
    assert [line.split()[0] for line in shown.said.splitlines()[1:]] == list(EventType)
    examples = [json.loads(block.partition("\n```")[0]) for block in page.said.split("```json\n")[1:]]
    assert [example["type"] for example in examples] == list(EventType)
