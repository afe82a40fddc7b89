"""The sender of webhooks, as the settings say. It is loaded when the first webhook is sent or the first URL checked."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from gateway.application.ports.webhook_sender import WebhookMessage, WebhookResponse, WebhookSender
from gateway.bootstrap.refusal import StartRefused
from gateway.domain.user import UserId
from gateway.settings.values import Settings

if TYPE_CHECKING:
    from ssl import SSLContext

    from gateway.adapters.webhooks.rules import SendingRules
    from gateway.adapters.webhooks.sender import HttpWebhookSender

SANDBOX_ADDRESSES: Final = ("127.0.0.1", "::1")
"""In the sandbox, receivers run beside the gateway."""
_ANY_PORT: Final = ("*",)


@asynccontextmanager
async def open_webhook_sender(settings: Settings) -> AsyncGenerator[WebhookSender]:
    """Open the sender.

    Raises:
        StartRefused: The file of certificate authorities cannot be used.
    """
    sender = _SenderOnDemand(settings, _authorities(settings) if settings.webhook_ca_file else None)
    try:
        yield sender
    finally:
        await sender.close()


def sending_rules(settings: Settings) -> "SendingRules":
    """The URLs and addresses that webhooks may be sent to."""
    from gateway.adapters.webhooks.rules import PORTS_DEFAULT, SendingRules

    sandbox = settings.environment == "sandbox"
    addresses = settings.webhook_allowed_addresses or (SANDBOX_ADDRESSES if sandbox else ())
    ports = settings.webhook_ports or (_ANY_PORT if sandbox else tuple(map(str, PORTS_DEFAULT)))
    return SendingRules(
        plain_http=sandbox,
        ports=None if ports == _ANY_PORT else frozenset(map(int, ports)),
        allowed_addresses=frozenset(map(ip_address, addresses)),
    )


class _SenderOnDemand:
    """Makes the sender when it is used: a gateway without webhooks does not load it."""

    def __init__(self, settings: Settings, tls: "SSLContext | None") -> None:
        self._settings = settings
        self._tls = tls
        self._sender: HttpWebhookSender | None = None

    async def check(self, url: str, *, owner_id: UserId) -> None:
        await self._loaded().check(url, owner_id=owner_id)

    async def send(self, message: WebhookMessage) -> WebhookResponse:
        return await self._loaded().send(message)

    async def close(self) -> None:
        if self._sender is not None:
            await self._sender.close()

    def _loaded(self) -> "HttpWebhookSender":
        if self._sender is None:
            from gateway.adapters.webhooks.sender import HttpWebhookSender, trusted_authorities

            self._sender = HttpWebhookSender(
                rules=sending_rules(self._settings),
                timeout_seconds=self._settings.webhook_timeout_seconds,
                user_agent=f"Gateway-Webhooks/{version('gateway')}",
                tls=lambda: self._tls or trusted_authorities(),
            )
        return self._sender


def _authorities(settings: Settings) -> "SSLContext":
    from gateway.adapters.webhooks.sender import trusted_authorities

    try:
        return trusted_authorities(settings.webhook_ca_file)
    except OSError as error:
        raise StartRefused(f"GATEWAY_WEBHOOK_CA_FILE: {settings.webhook_ca_file} cannot be used: {error}") from error
