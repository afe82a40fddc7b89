"""Send a test event to a webhook endpoint."""

from datetime import datetime
from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.webhook_endpoints import endpoint_of_owner, tell
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.checks import check_id
from gateway.domain.event import EventId
from gateway.domain.event_type import EventType
from gateway.domain.immutable import immutable
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import EndpointId, must_be_enabled


@immutable
class SentTestEvent:
    """A test event that was written, and will be delivered as every other event."""

    endpoint_id: EndpointId
    event_id: EventId
    created_at: datetime


@immutable
class SendTestEvent(Command[SentTestEvent]):
    """Write the event `endpoint.test` about an endpoint: it is delivered to this endpoint, whatever its filters.

    `owner_id` is the owner that the endpoint must have; `None` allows any.
    Refuses: webhook_endpoint_not_found, webhook_endpoint_disabled.
    """

    result_type: ClassVar = SentTestEvent

    endpoint_id: EndpointId
    owner_id: UserId | None

    def __post_init__(self) -> None:
        check_id("endpoint_id", self.endpoint_id)
        if self.owner_id is not None:
            check_id("owner_id", self.owner_id)

    @override
    def needs(self) -> Needs:
        return Needs(webhook_endpoints=(self.endpoint_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[SentTestEvent]:
        endpoint = endpoint_of_owner(ledger, self.endpoint_id, self.owner_id)
        must_be_enabled(endpoint)
        told = tell(EventType.ENDPOINT_TEST, endpoint, moment)
        sent = SentTestEvent(endpoint_id=endpoint.id, event_id=told.event.id, created_at=moment.now)
        return Decision(outcome=sent, webhook_endpoints=(told.endpoint,), events=(told.event,))
