"""The sender of webhooks: signs an event's body and posts it to an endpoint's URL."""

from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from gateway.domain.immutable import immutable
from gateway.domain.user import UserId


class WebhookError(StrEnum):
    """Why there is no status, or why the response was cut off. Stable words: they are stored and shown."""

    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    """The URL breaks a rule, or its host has an address that webhooks may not be sent to."""
    NAME_NOT_RESOLVED = "name_not_resolved"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_FAILED = "connection_failed"
    """No route, a reset, or the end of the connection before the response."""
    TLS_FAILED = "tls_failed"
    PROTOCOL_ERROR = "protocol_error"
    """The response is not HTTP/1.1."""
    RESPONSE_TOO_LARGE = "response_too_large"
    TIMEOUT = "timeout"


class WebhookNotSent(Exception):  # noqa: N818 - names what happened, as every refusal of the gateway does.
    """The gateway had no room to send a webhook now. Nothing was asked of the receiver."""


@immutable
class WebhookMessage:
    """One attempt to deliver one event.

    Attributes:
        url: The endpoint's URL.
        owner_id: The endpoint's owner, whose share of the look-ups of names is used.
        event_id: The id of the event, sent as `webhook-id`: the same at each attempt.
        secrets: The secrets that sign, newest first: `whsec_` and the base64 of 24 to 64 bytes each. At least one.
        body: The JSON of the event, which is sent as it is.
        sent_at: The time of the attempt, sent as `webhook-timestamp`.
    """

    url: str = field(repr=False)
    owner_id: UserId
    event_id: str
    secrets: tuple[str, ...] = field(repr=False)
    body: bytes = field(repr=False)
    sent_at: datetime


@immutable
class WebhookResponse:
    """What came of an attempt. It holds nothing that the receiver chose but a status and a time to wait.

    Attributes:
        status: The HTTP status, 100 … 999, or None if no response arrived. A response whose body was too large or never
            ended keeps its status: see `error`.
        error: What went wrong. None if a whole response arrived, whatever its status. With a status, it says why the
            rest of the response was not read (`RESPONSE_TOO_LARGE`, `TIMEOUT`, `CONNECTION_FAILED`,
            `PROTOCOL_ERROR`); the status counts all the same.
        retry_after_seconds: How long the receiver asks to wait: 0 … 86,400. None if it does not ask.
        latency_ms: How long the attempt took, in milliseconds.
    """

    status: int | None
    error: WebhookError | None
    retry_after_seconds: float | None
    latency_ms: int

    @property
    def success(self) -> bool:
        """Whether the receiver took the event: a 2xx status. A redirect is a failure, and is not followed."""
        return self.status is not None and 200 <= self.status <= 299  # noqa: PLR2004 - as HTTP says.


class WebhookSender(Protocol):
    """Sends webhooks, and nothing to addresses that are not allowed."""

    async def check(self, url: str, *, owner_id: UserId) -> None:
        """Check the URL of an endpoint: its syntax, its scheme and port, and every address that its host has now.

        Args:
            url: The URL.
            owner_id: Who is to own the endpoint. Owners have shares of the look-ups of names.

        Raises:
            InvalidInput: At field `url`. Its code is `url_invalid` (not an HTTP URL, or one with user, password or
                fragment), `url_not_allowed` (scheme, port or address) or `url_not_resolved` (its host has no address,
                or name servers did not answer in time).
            RateLimited: Too many look-ups for this owner run or wait. The host was not looked up.
            Overloaded: Too many look-ups run or wait. The host was not looked up.
        """
        ...

    async def send(self, message: WebhookMessage) -> WebhookResponse:
        """Sign the message and send it to an address that is checked at each new connection.

        It never raises for what the receiver, the network or a name server does. Cancelling it closes its connection.

        Raises:
            WebhookNotSent: The host was not looked up, because too many look-ups run or wait.
        """
        ...
