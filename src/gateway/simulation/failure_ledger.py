"""The failure ledger: since when each receiver fails, and which endpoints may and must be disabled for it."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from gateway.application.commands.disable_webhook_endpoint import DisableWebhookEndpoint
from gateway.application.ports.delivery_records import Lease, QueueState
from gateway.application.ports.webhook_sender import WebhookResponse
from gateway.domain.webhook_endpoint import EndpointId
from gateway.simulation.model import Model

FAILING: Final = timedelta(days=5)
"""An endpoint is disabled when it has failed for so long."""
TURN_MAX: Final = timedelta(hours=1)
"""So long a turn may go on with the endpoint as it was loaded: its secrets, and that it is enabled."""
IN_VAIN_MAX: Final = 60
"""So many requests may fail before an endpoint is disabled: they are in flight, or the worker dies or cannot write."""


@dataclass(slots=True)
class FailureLedger:
    """Is told of each response of a receiver, and of each call that was written. Tells `find` what is violated."""

    model: Model
    find: Callable[[str, str], None]
    """Takes the name of the invariant and a detail."""
    failing_since: dict[EndpointId, datetime] = field(default_factory=dict[EndpointId, datetime])
    """When the receiver of an endpoint failed for the first time after its last success."""
    failed_again: dict[EndpointId, datetime] = field(default_factory=dict[EndpointId, datetime])
    """The same, whether or not the success was recorded."""
    not_recorded: dict[EndpointId, datetime] = field(default_factory=dict[EndpointId, datetime])
    """The first failure that was not recorded when the endpoint was leased again."""
    recorded: dict[EndpointId, datetime] = field(default_factory=dict[EndpointId, datetime])
    """When the last request was made whose failure the holder of the endpoint has recorded."""
    in_vain: Counter[EndpointId] = field(default_factory=Counter[EndpointId])
    """How many requests an enabled endpoint got after it should have been disabled."""
    gone: set[EndpointId] = field(default_factory=set[EndpointId])
    """The endpoints whose receiver has answered 410."""

    def changed(self, endpoint_id: EndpointId) -> None:
        """An endpoint was created, enabled, disabled, or got other filters."""
        self.in_vain.pop(endpoint_id, None)

    def succeeded(self, endpoint_id: EndpointId) -> None:
        """A receiver has taken an event."""
        self.failed_again.pop(endpoint_id, None)

    def success_recorded(self, endpoint_id: EndpointId) -> None:
        """The holder of an endpoint has recorded a success. A failure after it may be recorded together with it."""
        self.failing_since.pop(endpoint_id, None)
        if endpoint_id in self.failed_again:
            self.failing_since[endpoint_id] = self.failed_again[endpoint_id]

    def failed(self, endpoint_id: EndpointId, response: WebhookResponse, now: datetime) -> None:
        """A receiver has not taken an event."""
        since = self.failing_since.setdefault(endpoint_id, now)
        if since < self.model.endpoints[endpoint_id].changed_at:
            # Its owner may have mended it.
            since = self.failing_since[endpoint_id] = now
            self.in_vain.pop(endpoint_id, None)
        self.failed_again.setdefault(endpoint_id, now)
        if response.status == HTTPStatus.GONE:
            self.gone.add(endpoint_id)
        if response.status == HTTPStatus.GONE or now >= since + FAILING:
            self.in_vain[endpoint_id] += 1
            if self.in_vain[endpoint_id] > IN_VAIN_MAX:
                self.find("webhook_disabled", f"{endpoint_id} has failed since {since}, and is not disabled.")

    def failure_recorded(self, endpoint_id: EndpointId, sent_at: datetime) -> None:
        """The holder of an endpoint has recorded the failure of a request."""
        self.recorded[endpoint_id] = sent_at

    def leased(self, leases: Iterable[Lease]) -> None:
        """A worker has leased endpoints. The first failure of a receiver is lost with a worker that dies behind it."""
        for lease in leases:
            if lease.failing_since is None or self._is_outdated(lease.endpoint_id, lease.failing_since):
                since = self.failing_since.pop(lease.endpoint_id, None)
                self.failed_again.pop(lease.endpoint_id, None)
                if since is not None:
                    self.not_recorded[lease.endpoint_id] = since

    def _is_outdated(self, endpoint_id: EndpointId, failing_since: datetime) -> bool:
        """Whether a failure is from before the last change of its endpoint, and nobody has recorded a later one.

        A worker may record a later one with the moment of the first, if it has loaded the endpoint before the change.
        """
        changed_at = self.model.endpoints[endpoint_id].changed_at
        recorded = self.recorded.get(endpoint_id, changed_at)
        return failing_since < changed_at and recorded <= changed_at + TURN_MAX

    def states_recorded(self, states: Iterable[QueueState], held: Collection[EndpointId]) -> None:
        """The states of receivers were recorded by a worker that holds these endpoints.

        A worker whose lease has run out may lease the endpoint again, and record the first failure afterwards.
        """
        for state in states:
            since = self.not_recorded.get(state.endpoint_id)
            if since is not None and state.failing_since == since and state.endpoint_id in held:
                self.failing_since[state.endpoint_id] = since

    def disabled(self, command: DisableWebhookEndpoint, now: datetime) -> None:
        """A worker is about to disable an endpoint, unless the endpoint was changed since the worker read it."""
        endpoint_id, reason, as_of = command.endpoint_id, command.reason.value, command.as_of
        if as_of is None or self.model.endpoints[endpoint_id].changed_at > as_of:
            return
        since = self.failing_since.get(endpoint_id, now)
        too_early = endpoint_id not in self.gone if reason == "gone" else now < since + FAILING
        if too_early:
            self.find("webhook_disabled", f"{endpoint_id} is disabled as {reason}; it has failed since {since}.")
