"""What the commands on webhook endpoints share."""

from typing import Final, NamedTuple

from gateway.application.engine.command import Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.domain.audit import AuditAction, AuditNote
from gateway.domain.checks import check_text, check_type
from gateway.domain.errors import FieldError, InvalidInput
from gateway.domain.event import Event
from gateway.domain.event_type import EventType
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import EndpointId, WebhookEndpoint, must_be_owned

URL_ERROR_LENGTH_MAX: Final = 1_000
"""The longest text in the error of a URL."""


class Told(NamedTuple):
    """An endpoint, and the event about it. The endpoint has counted the event."""

    endpoint: WebhookEndpoint
    event: Event


def endpoint_of_owner(ledger: LedgerView, endpoint_id: EndpointId, owner_id: UserId | None) -> WebhookEndpoint:
    """The endpoint, which must belong to this owner; with `None`, to anybody.

    Raises:
        WebhookEndpointNotFound: It does not exist, or belongs to another owner.
    """
    endpoint = ledger.webhook_endpoint(endpoint_id)
    must_be_owned(endpoint, owner_id)
    return endpoint


def tell(kind: EventType, endpoint: WebhookEndpoint, moment: Moment) -> Told:
    """Make an event about an endpoint. Its merchant sees the event; operators see that of one for all merchants."""
    counted = endpoint.with_event()
    return Told(counted, moment.event(kind, counted, parties=counted, sequence=counted.sequence))


def endpoint_note(action: AuditAction, after: WebhookEndpoint, before: WebhookEndpoint | None = None) -> AuditNote:
    """What the audit log records of an endpoint. URLs are not recorded: receivers put secrets into them."""
    if before is None:
        return AuditNote(action=action, object_id=after.id, owner_id=after.owner_id, after=_facts(after))
    was, now = _facts(before), _facts(after)
    changed = {name for name in was if was[name] != now[name]}
    return AuditNote(
        action=action,
        object_id=after.id,
        owner_id=after.owner_id,
        before={name: was[name] for name in sorted(changed)},
        after={
            **{name: now[name] for name in sorted(changed)},
            **({"url_changed": True} if before.url != after.url else {}),
            **({"description_changed": True} if before.description != after.description else {}),
        },
    )


def _facts(endpoint: WebhookEndpoint) -> dict[str, str | bool]:
    return {"owner_id": endpoint.owner_id, "events": ",".join(endpoint.events), "enabled": endpoint.enabled}


def check_url_error(url_error: FieldError | None) -> None:
    """Refuse what is neither `None` nor an error of a field."""
    if url_error is not None:
        check_type("url_error", url_error, FieldError)
        for text in url_error:
            check_text("url_error", text, URL_ERROR_LENGTH_MAX)


def must_be_allowed(url_error: FieldError | None) -> None:
    """Refuse a URL that the sender of webhooks has refused.

    Raises:
        InvalidInput: There is such an error.
    """
    if url_error is not None:
        raise InvalidInput(url_error.detail, [url_error])
