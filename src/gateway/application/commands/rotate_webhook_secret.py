"""Give a webhook endpoint a new secret."""

from dataclasses import field
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
from gateway.domain.webhook_endpoint import EndpointId, WebhookEndpoint
from gateway.domain.webhook_fields import check_secret


@immutable
class RotateWebhookSecret(Command[WebhookEndpoint]):
    """Let `secret` sign, and the secret until now for 24 hours more. An older secret no longer signs.

    `owner_id` is the owner that the endpoint must have; `None` allows any. `secret` is new: `application/webhooks.py`
    makes one.
    Refuses: webhook_endpoint_not_found.
    """

    result_type: ClassVar = WebhookEndpoint

    endpoint_id: EndpointId
    owner_id: UserId | None
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        check_id("endpoint_id", self.endpoint_id)
        if self.owner_id is not None:
            check_id("owner_id", self.owner_id)
        check_secret(self.secret)

    @override
    def needs(self) -> Needs:
        return Needs(webhook_endpoints=(self.endpoint_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[WebhookEndpoint]:
        endpoint = endpoint_of_owner(ledger, self.endpoint_id, self.owner_id)
        rotated = endpoint.rotate(self.secret, now=moment.now)
        note = endpoint_note(AuditAction.ENDPOINT_SECRET_ROTATED, rotated, endpoint)
        return Decision(outcome=rotated, webhook_endpoints=(rotated,), notes=(note,))
