"""Change, disable or enable a webhook endpoint."""

from dataclasses import field
from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.webhook_endpoints import (
    check_url_error,
    endpoint_note,
    endpoint_of_owner,
    must_be_allowed,
    tell,
)
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.audit import AuditAction
from gateway.domain.checks import check_free_text, check_id, check_type
from gateway.domain.errors import FieldError
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.limits import DESCRIPTION_LENGTH_MAX
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import DisabledReason, EndpointId, WebhookEndpoint
from gateway.domain.webhook_fields import check_event_filters, check_url


@immutable
class ChangeWebhookEndpoint(Command[WebhookEndpoint]):
    """Change the values that are not `None`. An empty `description` clears it.

    `owner_id` is the owner that the endpoint must have; `None` allows any. `url_error` is as in
    `CreateWebhookEndpoint`. An endpoint that becomes disabled has an event.
    Refuses: webhook_endpoint_not_found, validation_error (with `url_error`).
    """

    result_type: ClassVar = WebhookEndpoint

    endpoint_id: EndpointId
    owner_id: UserId | None
    url: str | None = field(default=None, repr=False)
    events: tuple[str, ...] | None = None
    description: str | None = None
    enabled: bool | None = None
    url_error: FieldError | None = None

    def __post_init__(self) -> None:
        check_id("endpoint_id", self.endpoint_id)
        if self.owner_id is not None:
            check_id("owner_id", self.owner_id)
        if self.url is not None:
            check_url(self.url)
        if self.events is not None:
            check_event_filters(self.events)
        if self.description is not None:
            check_free_text("description", self.description, DESCRIPTION_LENGTH_MAX)
        if self.enabled is not None:
            check_type("enabled", self.enabled, bool)
        check_url_error(self.url_error)

    @override
    def needs(self) -> Needs:
        return Needs(webhook_endpoints=(self.endpoint_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[WebhookEndpoint]:
        before = endpoint_of_owner(ledger, self.endpoint_id, self.owner_id)
        must_be_allowed(self.url_error)
        after = before.change(url=self.url, events=self.events, description=self.description, now=moment.now)
        if self.enabled is True:
            after = after.enable(now=moment.now)
        elif self.enabled is False and before.enabled:
            told = tell(EventType.ENDPOINT_DISABLED, after.disable(DisabledReason.BY_OWNER, now=moment.now), moment)
            note = endpoint_note(AuditAction.ENDPOINT_CHANGED, told.endpoint, before)
            return Decision(
                outcome=told.endpoint, webhook_endpoints=(told.endpoint,), events=(told.event,), notes=(note,)
            )
        if after is before:
            return Decision(outcome=before)
        note = endpoint_note(AuditAction.ENDPOINT_CHANGED, after, before)
        return Decision(outcome=after, webhook_endpoints=(after,), notes=(note,))
