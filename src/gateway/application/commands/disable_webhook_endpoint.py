"""Disable a webhook endpoint that does not receive."""

from datetime import datetime
from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.webhook_endpoints import endpoint_note, tell
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.audit import AuditAction
from gateway.domain.checks import check_id, check_instant, check_type
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.webhook_endpoint import DisabledReason, EndpointId, WebhookEndpoint


@immutable
class DisableWebhookEndpoint(Command[WebhookEndpoint | None]):
    """Send nothing to an endpoint any more, and tell its owner by an event; the dispatcher decides when.

    The result is the endpoint; `None` if it was deleted. An endpoint that is disabled keeps its reason. An endpoint
    that was changed after `as_of`, the last change that the dispatcher knew of, stays enabled.
    """

    result_type: ClassVar = WebhookEndpoint | None

    endpoint_id: EndpointId
    reason: DisabledReason
    as_of: datetime | None = None

    def __post_init__(self) -> None:
        check_id("endpoint_id", self.endpoint_id)
        check_type("reason", self.reason, DisabledReason)
        if self.as_of is not None:
            check_instant("as_of", self.as_of)

    @override
    def needs(self) -> Needs:
        return Needs(webhook_endpoints=(self.endpoint_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[WebhookEndpoint | None]:
        endpoint = ledger.find_webhook_endpoint(self.endpoint_id)
        if endpoint is None:
            return Decision(outcome=None)
        disabled = endpoint.disable(self.reason, now=moment.now, as_of=self.as_of)
        if disabled is endpoint:
            return Decision(outcome=endpoint)
        told = tell(EventType.ENDPOINT_DISABLED, disabled, moment)
        note = endpoint_note(AuditAction.ENDPOINT_DISABLED, told.endpoint, endpoint)
        return Decision(outcome=told.endpoint, webhook_endpoints=(told.endpoint,), events=(told.event,), notes=(note,))
