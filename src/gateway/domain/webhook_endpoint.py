"""WebhookEndpoint: a URL to which the events of its owner are sent."""

from dataclasses import field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType

from gateway.domain.checks import check_free_text, check_id, check_instant, check_integer, check_type
from gateway.domain.errors import invalid
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.limits import DESCRIPTION_LENGTH_MAX, POSITION_MAX
from gateway.domain.user import UserId
from gateway.domain.webhook_errors import WebhookEndpointDisabled, WebhookEndpointNotFound
from gateway.domain.webhook_fields import ALL_EVENTS, check_filter_forms, check_secret, check_url

EndpointId = NewType("EndpointId", str)

PREVIOUS_SECRET_SIGNS_FOR: Final = timedelta(hours=24)
"""How long the previous secret signs after a rotation: receivers have this time to take over the new one."""


class DisabledReason(StrEnum):
    """Why an endpoint is disabled: by its owner, or by the gateway.

    Attributes:
        BY_OWNER: Its owner has disabled it.
        GONE: The receiver has answered 410.
        FAILING: No delivery has succeeded for days.
    """

    BY_OWNER = "by_owner"
    GONE = "gone"
    FAILING = "failing"


@immutable
class WebhookEndpoint:
    """A URL to which events are sent, signed.

    Attributes:
        owner_id: The merchant whose events are sent; `system` for an endpoint of the operators.
        all_merchants: Whether the events of all merchants are sent.
        events: Filters: exact types, `payment.*` for all types of a kind, `*` for everything. A filter may name a type
            that only a newer version of the gateway knows.
        disabled_reason: `None` while the endpoint is enabled.
        secret: `whsec_` and the Base64 of the key that signs.
        previous_secret: The secret before the last rotation. It signs too, until `previous_secret_expires_at`.
        sequence: The number of events about this endpoint.
        after_position: Events up to this position of the feed happened before the endpoint, and are not sent to it.

    Raises:
        InvalidInput: A field is not valid. The refusal never contains a secret.
    """

    id: EndpointId
    owner_id: UserId
    all_merchants: bool
    url: str = field(repr=False)
    events: tuple[str, ...]
    description: str | None
    disabled_reason: DisabledReason | None
    secret: str = field(repr=False)
    previous_secret: str | None = field(default=None, repr=False)
    previous_secret_expires_at: datetime | None = None
    sequence: int = 0
    after_position: int = 0
    created_at: datetime
    updated_at: datetime

    def __post_init__(self) -> None:
        check_id("id", self.id)
        check_id("owner_id", self.owner_id)
        check_type("all_merchants", self.all_merchants, bool)
        check_url(self.url)
        check_filter_forms(self.events)
        if self.description is not None:
            check_free_text("description", self.description, DESCRIPTION_LENGTH_MAX, length_min=1)
        if self.disabled_reason is not None:
            check_type("disabled_reason", self.disabled_reason, DisabledReason)
        check_secret(self.secret)
        self._check_previous_secret()
        check_integer("sequence", self.sequence, 0, POSITION_MAX)
        check_integer("after_position", self.after_position, 0, POSITION_MAX)
        check_instant("created_at", self.created_at)
        check_instant("updated_at", self.updated_at)

    def _check_previous_secret(self) -> None:
        if self.previous_secret is not None:
            check_secret(self.previous_secret, field_name="previous_secret")
            check_instant("previous_secret_expires_at", self.previous_secret_expires_at)
        elif self.previous_secret_expires_at is not None:
            raise invalid("previous_secret_expires_at", "value_invalid", "There is no previous secret.")

    @property
    def enabled(self) -> bool:
        """Whether events are sent."""
        return self.disabled_reason is None

    @property
    def merchant_id(self) -> UserId | None:
        """The merchant who sees the events about this endpoint. Only operators see those about their endpoints."""
        return None if self.all_merchants else self.owner_id

    @property
    def customer_id(self) -> None:
        """No customer sees events about endpoints."""
        return None

    def signing_secrets(self, now: datetime) -> tuple[str, ...]:
        """The secrets that sign at this time, the newest first."""
        if self.previous_secret is None or self.previous_secret_expires_at is None:
            return (self.secret,)
        return (self.secret, self.previous_secret) if now < self.previous_secret_expires_at else (self.secret,)

    def wants(self, event_type: EventType, object_id: str, merchant_id: UserId | None) -> bool:
        """Whether an event is sent to this endpoint.

        Args:
            event_type: The type of the event. A test is sent to the endpoint that it is about, whatever the filters.
            object_id: The id of the object that the event is about.
            merchant_id: The merchant of the event, if it has one.
        """
        if not self.enabled:
            return False
        if event_type is EventType.ENDPOINT_TEST:
            return object_id == self.id
        if not self.all_merchants and merchant_id != self.owner_id:
            return False
        kind = event_type.partition(".")[0]
        return not {ALL_EVENTS, f"{kind}.{ALL_EVENTS}", event_type.value}.isdisjoint(self.events)

    def with_event(self) -> "WebhookEndpoint":
        """A copy that counts one more event."""
        return replace(self, sequence=self.sequence + 1)

    def disable(self, reason: DisabledReason, *, now: datetime, as_of: datetime | None = None) -> "WebhookEndpoint":
        """A disabled copy; this endpoint if it is disabled already, with its first reason.

        Also unchanged if it was modified after `as_of`: the reason concerns the endpoint before that.
        """
        is_outdated = as_of is not None and self.updated_at > as_of
        return replace(self, disabled_reason=reason, updated_at=now) if self.enabled and not is_outdated else self

    def enable(self, *, now: datetime) -> "WebhookEndpoint":
        """An enabled copy; this endpoint if it is enabled already."""
        return self if self.enabled else replace(self, disabled_reason=None, updated_at=now)

    def change(
        self, *, url: str | None, events: tuple[str, ...] | None, description: str | None, now: datetime
    ) -> "WebhookEndpoint":
        """A copy with other values; this endpoint if nothing differs. `None` keeps a value, an empty text clears it."""
        changed = replace(
            self,
            url=self.url if url is None else url,
            events=self.events if events is None else events,
            description=self.description if description is None else description or None,
        )
        return self if changed == self else replace(changed, updated_at=now)

    def rotate(self, secret: str, *, now: datetime) -> "WebhookEndpoint":
        """A copy with a new secret. The secret until now signs for 24 hours more; an older one no longer does."""
        return replace(
            self,
            secret=secret,
            previous_secret=self.secret,
            previous_secret_expires_at=now + PREVIOUS_SECRET_SIGNS_FOR,
            updated_at=now,
        )


def must_be_owned(endpoint: WebhookEndpoint, owner_id: UserId | None) -> None:
    """Check that an endpoint belongs to this owner. `None` stands for a caller who may change any endpoint.

    Raises:
        WebhookEndpointNotFound: It belongs to another owner.
    """
    if owner_id not in (None, endpoint.owner_id):
        raise WebhookEndpointNotFound("There is no such webhook endpoint.")


def must_be_enabled(endpoint: WebhookEndpoint) -> None:
    """Check that events are sent to an endpoint.

    Raises:
        WebhookEndpointDisabled: It is disabled.
    """
    if endpoint.disabled_reason is not None:
        raise WebhookEndpointDisabled(
            "The webhook endpoint is disabled. Enable it first.", disabled_reason=endpoint.disabled_reason.value
        )
