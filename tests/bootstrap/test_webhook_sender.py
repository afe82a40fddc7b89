"""The gateway has a sender of webhooks, whose rules follow from the settings, and which is loaded when it is used."""

import asyncio
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest
import trustme

from gateway.adapters.memory import MemoryWebhookSender
from gateway.bootstrap.refusal import StartRefused
from gateway.bootstrap.webhooks import open_webhook_sender, sending_rules
from gateway.bootstrap.wiring import in_memory_gateway, open_gateway
from gateway.domain.errors import InvalidInput
from gateway.domain.user import SYSTEM
from gateway.settings.values import Settings
from support.receivers import receiver
from support.webhook_messages import message

LOOPBACK = frozenset({ip_address("127.0.0.1"), ip_address("::1")})


def test_the_sandbox_reaches_receivers_beside_it() -> None:
    rules = sending_rules(Settings())

    assert (rules.plain_http, rules.ports, rules.allowed_addresses) == (True, None, LOOPBACK)


def test_production_reaches_public_receivers_over_https_alone() -> None:
    rules = sending_rules(Settings(environment="production"))

    assert (rules.plain_http, rules.ports, rules.allowed_addresses) == (False, frozenset({443, 8443}), frozenset())


@pytest.mark.parametrize("environment", ["sandbox", "production"])
def test_settings_replace_the_defaults(environment: str) -> None:
    rules = sending_rules(
        Settings(
            environment="production" if environment == "production" else "sandbox",
            webhook_allowed_addresses=("10.0.0.7",),
            webhook_ports=("443", "9000"),
        )
    )

    assert rules.allowed_addresses == frozenset({ip_address("10.0.0.7")})
    assert rules.ports == frozenset({443, 9000})
    assert sending_rules(Settings(environment="production", webhook_ports=("*",))).ports is None


async def test_a_gateway_sends_webhooks(tmp_path: Path) -> None:
    async with receiver() as found, open_gateway(Settings(data_dir=str(tmp_path))) as gateway:
        await gateway.webhooks.sender.check(f"http://127.0.0.1:{found.port}/", owner_id=SYSTEM)
        response = await gateway.webhooks.sender.send(message(f"http://127.0.0.1:{found.port}/"))

    assert response.status == 200
    user_agent = found.requests[0].headers["user-agent"]
    assert user_agent.startswith("Gateway-Webhooks/")
    assert user_agent[-1].isdigit()


async def test_a_gateway_in_memory_sends_nothing_and_needs_no_network() -> None:
    async with receiver() as found, in_memory_gateway() as gateway:
        await gateway.webhooks.sender.check("https://shop.example/webhooks", owner_id=SYSTEM)
        sent = message(f"http://127.0.0.1:{found.port}/")
        assert (await gateway.webhooks.sender.send(sent)).status == 204
        assert isinstance(gateway.webhooks.sender, MemoryWebhookSender)
        assert list(gateway.webhooks.sender.messages) == [sent]
    assert found.requests == []


async def test_a_gateway_in_memory_uses_the_sender_that_it_is_given() -> None:
    async with open_webhook_sender(Settings()) as sender, in_memory_gateway(webhook_sender=sender) as gateway:
        assert gateway.webhooks.sender is sender


async def test_receivers_with_certificates_of_an_own_authority_are_trusted(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    settings = Settings(data_dir=str(tmp_path), webhook_ca_file=str(tmp_path / "ca.pem"))
    async with open_gateway(settings) as gateway, asyncio.timeout(60):
        # The file was read when the gateway was opened.
        (tmp_path / "ca.pem").unlink()
        with pytest.raises(InvalidInput):
            await gateway.webhooks.sender.check("https://127.0.0.2/", owner_id=SYSTEM)


@pytest.mark.parametrize("contents", [None, "", "no certificate"])
async def test_a_file_without_certificate_authorities_refuses_the_start(tmp_path: Path, contents: str | None) -> None:
    path = tmp_path / "ca.pem"
    if contents is not None:
        path.write_text(contents)
    with pytest.raises(StartRefused, match=r"^GATEWAY_WEBHOOK_CA_FILE: .*ca\.pem cannot be used"):
        async with open_gateway(Settings(data_dir=str(tmp_path), webhook_ca_file=str(path))):
            pass


def test_a_gateway_without_webhooks_does_not_load_the_sender() -> None:
    program = """
import asyncio, sys
from gateway import in_memory_gateway

async def main():
    async with in_memory_gateway():
        print([name for name in ("gateway.adapters.webhooks", "httptools", "standardwebhooks") if name in sys.modules])

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=100)
    assert done.stdout == "[]\n"
