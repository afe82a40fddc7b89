"""Create a webhook endpoint."""

from dataclasses import field
from typing import ClassVar

from typing_extensions import override

from gateway.application.commands.shared.webhook_endpoints import check_url_error, endpoint_note, must_be_allowed
from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.audit import AuditAction
from gateway.domain.checks import check_free_text, check_id, check_integer, check_type
from gateway.domain.errors import FieldError, invalid
from gateway.domain.immutable import immutable
from gateway.domain.limits import DESCRIPTION_LENGTH_MAX, POSITION_MAX, WEBHOOK_ENDPOINTS_PER_OWNER_MAX
from gateway.domain.user import SYSTEM, UserId
from gateway.domain.webhook_endpoint import DisabledReason, EndpointId, WebhookEndpoint
from gateway.domain.webhook_errors import EndpointLimitReached
from gateway.domain.webhook_fields import check_event_filters, check_secret, check_url


@immutable
class CreateWebhookEndpoint(Command[WebhookEndpoint]):
    """Send the events of a merchant to a URL from now on; of all merchants, if `all_merchants`.

    `owner_id` is the merchant; `system` for the endpoints of the operators. `secret` is new: `application/webhooks.py`
    makes one. Events up to the position `after_position` of the feed are not sent: `application/webhooks.py` gives the
    newest one; with 0, events that no worker has looked at yet are sent too. `url_error` is what the sender of
    webhooks has against the URL; `application/webhooks.py` asks it. An empty `description` is none.
    Refuses: validation_error (with `url_error`), endpoint_limit_reached.
    """

    result_type: ClassVar = WebhookEndpoint

    owner_id: UserId
    all_merchants: bool
    url: str = field(repr=False)
    events: tuple[str, ...]
    description: str | None
    enabled: bool
    secret: str = field(repr=False)
    after_position: int = 0
    url_error: FieldError | None = None

    def __post_init__(self) -> None:
        check_id("owner_id", self.owner_id)
        check_type("all_merchants", self.all_merchants, bool)
        if self.all_merchants and self.owner_id != SYSTEM:
            raise invalid("all_merchants", "value_invalid", "Only endpoints of the owner `system` get all events.")
        check_url(self.url)
        check_event_filters(self.events)
        if self.description is not None:
            check_free_text("description", self.description, DESCRIPTION_LENGTH_MAX)
        check_type("enabled", self.enabled, bool)
        check_secret(self.secret)
        check_integer("after_position", self.after_position, 0, POSITION_MAX)
        check_url_error(self.url_error)

    @override
    def needs(self) -> Needs:
        """The endpoints of the owner, which are counted."""
        return Needs(webhook_owners=(self.owner_id,))

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[WebhookEndpoint]:
        must_be_allowed(self.url_error)
        if ledger.count_webhook_endpoints(self.owner_id) >= WEBHOOK_ENDPOINTS_PER_OWNER_MAX:
            raise EndpointLimitReached(f"An owner has at most {WEBHOOK_ENDPOINTS_PER_OWNER_MAX} webhook endpoints.")
        endpoint = WebhookEndpoint(
            id=EndpointId(moment.new_id("whe")),
            owner_id=self.owner_id,
            all_merchants=self.all_merchants,
            url=self.url,
            events=self.events,
            description=self.description or None,
            disabled_reason=None if self.enabled else DisabledReason.BY_OWNER,
            secret=self.secret,
            after_position=self.after_position,
            created_at=moment.now,
            updated_at=moment.now,
        )
        note = endpoint_note(AuditAction.ENDPOINT_CREATED, endpoint)
        return Decision(outcome=endpoint, webhook_endpoints=(endpoint,), notes=(note,))
