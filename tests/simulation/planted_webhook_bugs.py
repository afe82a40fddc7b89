"""Planted bugs in the feed, in webhook endpoints and in what is delivered to them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pytest

from gateway.adapters.memory import MemoryUnitOfWork
from gateway.application.commands.shared.webhook_endpoints import Told, tell
from gateway.application.engine.command import Moment
from gateway.application.ports.unit_of_work import Changes
from gateway.application.views.events import event_data
from gateway.domain.event_type import EventType
from gateway.domain.webhook_endpoint import DisabledReason, WebhookEndpoint
from simulation.planted_bugs import Plant


def a_late_commit_gets_an_earlier_position(patch: pytest.MonkeyPatch) -> None:
    """Positions are given when a transaction begins, and a refund takes longer than the payment after it."""
    commit = MemoryUnitOfWork.commit

    async def commit_late(self: MemoryUnitOfWork, changes: Changes) -> None:
        await commit(self, changes)
        events, count = self._database.events, len(changes.events_new)
        if changes.refunds_new and len(events) > count:
            events.insert(len(events) - count - 1, events.pop())

    patch.setattr(MemoryUnitOfWork, "commit", commit_late)


def an_event_shows_the_state_before(patch: pytest.MonkeyPatch) -> None:
    """The endpoint is encoded before it is disabled."""

    def tell_too_early(kind: EventType, endpoint: WebhookEndpoint, moment: Moment) -> Told:
        told = tell(kind, endpoint, moment)
        return told._replace(event=replace(told.event, data=event_data(replace(endpoint, disabled_reason=None))))

    patch.setattr("gateway.application.commands.change_webhook_endpoint.tell", tell_too_early)


def an_owner_has_one_endpoint_too_many(patch: pytest.MonkeyPatch) -> None:
    """`>` for `>=`."""
    patch.setattr("gateway.application.commands.create_webhook_endpoint.WEBHOOK_ENDPOINTS_PER_OWNER_MAX", 17)


def anybody_changes_an_endpoint(patch: pytest.MonkeyPatch) -> None:
    """A guard is missing."""
    must = "gateway.application.commands.shared.webhook_endpoints.must_be_owned"
    patch.setattr(must, lambda endpoint, owner_id: None)  # noqa: ARG005 - it does nothing.


def the_first_secret_signs_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A second rotation gives the time of the first one to the secret before it."""
    rotate = WebhookEndpoint.rotate

    def rotate_again(self: WebhookEndpoint, secret: str, *, now: datetime) -> WebhookEndpoint:
        previous = self.previous_secret or self.secret
        return replace(rotate(self, secret, now=now), previous_secret=previous)

    patch.setattr(WebhookEndpoint, "rotate", rotate_again)


def a_worker_disables_an_endpoint_that_was_changed(patch: pytest.MonkeyPatch) -> None:
    """The worker's knowledge is older than the change."""
    disable = WebhookEndpoint.disable

    def disable_anyway(
        self: WebhookEndpoint, reason: DisabledReason, *, now: datetime, as_of: datetime | None = None
    ) -> WebhookEndpoint:
        del as_of
        return disable(self, reason, now=now)

    patch.setattr(WebhookEndpoint, "disable", disable_anyway)


PLANTED: Mapping[Plant, str] = {
    a_late_commit_gets_an_earlier_position: "feed_once",
    an_event_shows_the_state_before: "feed_snapshot",
    an_owner_has_one_endpoint_too_many: "outcome",
    a_worker_disables_an_endpoint_that_was_changed: "outcome",
    anybody_changes_an_endpoint: "outcome",
    the_first_secret_signs_for_ever: "outcome",
}
"""Each with the invariant that it breaks first, or one of them."""
