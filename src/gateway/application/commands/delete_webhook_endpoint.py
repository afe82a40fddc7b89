"""Delete a webhook endpoint."""

from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.webhook_endpoints import endpoint_note, endpoint_of_owner
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.audit import AuditAction
from gateway.domain.checks import check_id
from gateway.domain.immutable import immutable
from gateway.domain.user import UserId
from gateway.domain.webhook_endpoint import EndpointId


@immutable
class DeleteWebhookEndpoint(Command[EndpointId]):
    """Delete an endpoint, with its secrets. The dispatcher cancels the deliveries that wait.

    `owner_id` is the owner that the endpoint must have; `None` allows any. The result is the id.
    Refuses: webhook_endpoint_not_found.
    """

    result_type: ClassVar = str

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
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[EndpointId]:
        endpoint = endpoint_of_owner(ledger, self.endpoint_id, self.owner_id)
        return Decision(
            outcome=endpoint.id,
            webhook_endpoints_deleted=(endpoint.id,),
            notes=(endpoint_note(AuditAction.ENDPOINT_DELETED, endpoint),),
        )
