"""Webhooks to send in tests, and senders that may reach a test's receivers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from ssl import SSLContext
from typing import Any, Final

from gateway.adapters.webhooks.name_lookup import SystemLookup, system_lookup
from gateway.adapters.webhooks.rules import SendingRules
from gateway.adapters.webhooks.sender import HttpWebhookSender, trusted_authorities
from gateway.application.ports.webhook_sender import WebhookMessage
from gateway.contracts.records import user_id

SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET: Final = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

NOTHING_ALLOWED: Final = SendingRules(plain_http=True, ports=None)
"""Only the rule of addresses is in force, so that a test shows what it alone refuses."""


def message(url: str, **others: Any) -> WebhookMessage:
    """A webhook to this URL."""
    values: dict[str, Any] = {
        "owner_id": user_id(2),
        "event_id": "evt_1",
        "secrets": (SECRET,),
        "body": b'{"id":"evt_1"}',
        "sent_at": datetime.now(UTC),
        **others,
    }
    return WebhookMessage(url=url, **values)


def allowing(*addresses: str, plain_http: bool = True) -> SendingRules:
    """Rules that allow these addresses, on any port."""
    return SendingRules(plain_http=plain_http, allowed_addresses=frozenset(map(ip_address, addresses)))


def names(**addresses: Sequence[str]) -> SystemLookup:
    """A look-up that knows these names, with `_` for the dots in them."""
    known = {name.replace("_", "."): found for name, found in addresses.items()}

    def lookup(host: str) -> Sequence[str]:
        if host not in known:
            raise OSError("There is no such name.")
        return known[host]

    return lookup


@asynccontextmanager
async def sending(
    rules: SendingRules | None = None,
    *,
    timeout_seconds: float = 15.0,
    lookup: SystemLookup = system_lookup,
    tls: SSLContext | None = None,
) -> AsyncIterator[HttpWebhookSender]:
    """A sender, by default one that may reach 127.0.0.1 and ::1."""
    sender = HttpWebhookSender(
        rules=rules or allowing("127.0.0.1", "::1"),
        timeout_seconds=timeout_seconds,
        lookup=lookup,
        tls=trusted_authorities if tls is None else lambda: tls,
    )
    try:
        yield sender
    finally:
        await sender.close()
