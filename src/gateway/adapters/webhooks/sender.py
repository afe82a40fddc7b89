"""HttpWebhookSender: posts signed events to addresses that are checked at each new connection."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Final

from gateway.adapters.webhooks.connection import Received
from gateway.adapters.webhooks.connections import PinnedConnections, checked_addresses
from gateway.adapters.webhooks.name_lookup import (
    WAIT_SECONDS_MAX,
    NameLookup,
    NameNotResolved,
    SystemLookup,
    system_lookup,
)
from gateway.adapters.webhooks.request import retry_after_seconds, signed_request
from gateway.adapters.webhooks.rules import DestinationRefused, SendingRules
from gateway.application.errors import Overloaded, RateLimited
from gateway.application.ports.webhook_sender import WebhookError, WebhookMessage, WebhookNotSent, WebhookResponse
from gateway.domain.errors import InvalidInput, invalid
from gateway.domain.user import UserId
from gateway.domain.webhook_fields import check_url
from gateway.domain.webhook_url import WebhookUrl, parse_webhook_url

TIMEOUT_SECONDS_DEFAULT: Final = 15.0
_URLS_PARSED_MAX: Final = 4096

_parsed = lru_cache(_URLS_PARSED_MAX)(parse_webhook_url)


def trusted_authorities(ca_file: str = "") -> ssl.SSLContext:
    """TLS that trusts the certificate authorities of the operating system, and further ones in a PEM file.

    Raises:
        OSError: The file cannot be read, or has no certificate (`ssl.SSLError`).
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # Debian's Python leaves it to OpenSSL.
    if ca_file:
        context.load_verify_locations(ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


class HttpWebhookSender:
    """The sender over HTTP/1.1. It follows no redirects, uses no proxy, decodes no content and keeps no body.

    Nothing is loaded or started before the first webhook is sent. Checks and webhooks look names up in threads of their
    own: they do not hold each other up.

    Args:
        rules: The URLs and addresses that webhooks may be sent to.
        timeout_seconds: The time for one attempt in all: name look-up, connection, TLS, request and response. Of this,
            the look-up may wait a third for a thread.
        user_agent: The value of the header `User-Agent`, in ASCII.
        lookup: Finds the addresses of a name, and blocks its thread meanwhile.
        tls: Makes the TLS context of all connections, when the first one needs it.
    """

    def __init__(
        self,
        *,
        rules: SendingRules,
        timeout_seconds: float = TIMEOUT_SECONDS_DEFAULT,
        user_agent: str = "Gateway-Webhooks",
        lookup: SystemLookup = system_lookup,
        tls: Callable[[], ssl.SSLContext] = trusted_authorities,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._user_agent = user_agent
        self._rules = rules
        self._lookup_of_checks = NameLookup(lookup)
        self._lookup = NameLookup(lookup, wait_seconds_max=min(WAIT_SECONDS_MAX, timeout_seconds / 3))
        self._connections = PinnedConnections(rules=rules, lookup=self._lookup, tls=tls)

    async def check(self, url: str, *, owner_id: UserId) -> None:
        """As `WebhookSender.check`."""
        check_url(url)
        try:
            await checked_addresses(parse_webhook_url(url), owner_id, rules=self._rules, lookup=self._lookup_of_checks)
        except DestinationRefused as refused:
            raise invalid("url", "url_not_allowed", str(refused)) from refused
        except NameNotResolved as unresolved:
            raise invalid("url", "url_not_resolved", "The host of the URL has no address.") from unresolved

    async def send(self, message: WebhookMessage) -> WebhookResponse:
        """As `WebhookSender.send`."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        received = await self._attempt(message, began + self._timeout_seconds)
        duration = loop.time() - began
        return WebhookResponse(
            status=received.status,
            error=received.error,
            retry_after_seconds=retry_after_seconds(
                received.retry_after, now=message.sent_at + timedelta(seconds=duration)
            ),
            latency_ms=round(duration * 1000),
        )

    async def close(self) -> None:
        """Close idle connections and stop waiting for name look-ups."""
        self._connections.close()
        await self._lookup_of_checks.close()
        await self._lookup.close()

    async def _attempt(self, message: WebhookMessage, deadline: float) -> Received:
        try:
            url = _parsed(message.url)
            request = signed_request(message, url, user_agent=self._user_agent)
            return await self._exchange(url, request, message.owner_id, deadline)
        except (RateLimited, Overloaded) as refused:
            raise WebhookNotSent(refused.detail) from refused
        except (InvalidInput, DestinationRefused):
            error = WebhookError.ADDRESS_NOT_ALLOWED
        except NameNotResolved:
            error = WebhookError.NAME_NOT_RESOLVED
        except TimeoutError:
            error = WebhookError.TIMEOUT
        except ssl.SSLError:
            error = WebhookError.TLS_FAILED
        except ConnectionRefusedError:
            error = WebhookError.CONNECTION_REFUSED
        except OSError:
            error = WebhookError.CONNECTION_FAILED
        return Received(None, None, error, silent=True)

    async def _exchange(self, url: WebhookUrl, request: bytes, owner_id: UserId, deadline: float) -> Received:
        idle = self._connections.take(url)
        if idle is not None:
            received = await idle.exchange(request, deadline=deadline)
            # A receiver may close an idle connection at the moment at which a request is sent: that is no failure of
            # the receiver. If it has read the request all the same, it gets the same event a second time.
            if not (received.silent and received.error is WebhookError.CONNECTION_FAILED):
                self._connections.give_back(url, idle)
                return received
        async with asyncio.timeout_at(deadline):
            connection = await self._connections.open(url, owner_id)
        received = await connection.exchange(request, deadline=deadline)
        self._connections.give_back(url, connection)
        return received
