"""The lease ledger: which worker holds which endpoint, and what is known of its receiver, by the port's promises."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gateway.application.ports.delivery_records import Lease, QueueState, WorkerId
from gateway.domain.webhook_endpoint import EndpointId
from gateway.simulation.clock import AHEAD
from gateway.simulation.violation import Violation

VOID: Final = 10
"""A lease that ends after more than so many times its length is void."""


@dataclass(slots=True)
class Held:
    """A queue: the worker that holds it until a moment, and the state of its receiver."""

    worker: WorkerId | None = None
    until: datetime | None = None
    failing_since: datetime | None = None
    paused_until: datetime | None = None
    paused_at: datetime | None = None
    is_slow: bool = False


@dataclass(slots=True)
class LeaseLedger:
    """Is told of each call that was written. Finds leases that nobody may have, and states that nobody recorded."""

    held: dict[EndpointId, Held] = field(default_factory=dict[EndpointId, Held])
    found: list[Violation] = field(default_factory=list[Violation])

    def leased(self, worker: WorkerId, leases: Iterable[Lease], *, now: datetime, until: datetime) -> None:
        """A worker has leased endpoints."""
        for lease in leases:
            held = self.held.setdefault(lease.endpoint_id, Held())
            # Days pass at once here, also while a call hangs: it may find leases from long after its own moment.
            if held.worker is not None and held.until is not None and now < held.until <= now + VOID * (until - now):
                self._find(
                    f"{lease.endpoint_id} was leased to {worker}, and {held.worker} holds it until {held.until}."
                )
            is_void = held.paused_at is not None and held.paused_at >= now + AHEAD
            if held.paused_until is not None and held.paused_until > now and not is_void:
                self._find(f"{lease.endpoint_id} was leased, and its receiver wants a pause until {held.paused_until}.")
            if (lease.failing_since, lease.is_slow) != (held.failing_since, held.is_slow):
                self._find(f"{lease!r} tells another state than its holders have recorded: {held!r}.")
            held.worker, held.until = worker, until
            held.paused_until = held.paused_at = None

    def renewed(self, worker: WorkerId, endpoint_ids: Iterable[EndpointId], *, until: datetime) -> None:
        """A worker still holds endpoints, until a later moment."""
        for endpoint_id in endpoint_ids:
            held = self.held.setdefault(endpoint_id, Held())
            if held.worker != worker:
                self._find(f"{endpoint_id} was renewed for {worker}, and {held.worker} holds it.")
            held.until = until

    def released(self, worker: WorkerId, endpoint_ids: Collection[EndpointId]) -> None:
        """A worker has given leases back."""
        for endpoint_id in endpoint_ids:
            held = self.held.setdefault(endpoint_id, Held())
            if held.worker == worker:
                held.worker = held.until = None

    def recorded(self, worker: WorkerId, states: Iterable[QueueState]) -> None:
        """A worker has recorded what it knows of receivers: that counts for the endpoints that it holds."""
        for state in states:
            held = self.held.setdefault(state.endpoint_id, Held())
            if held.worker == worker:
                held.failing_since = state.failing_since
                held.paused_until, held.paused_at = state.paused_until, state.paused_at
                held.is_slow = state.is_slow

    def of(self, worker: WorkerId) -> frozenset[EndpointId]:
        """The endpoints that a worker holds."""
        return frozenset(endpoint_id for endpoint_id, held in self.held.items() if held.worker == worker)

    def paused_until(self, endpoint_id: EndpointId, now: datetime) -> datetime:
        """When something may be sent to an endpoint again."""
        held = self.held.get(endpoint_id, Held())
        return max(now, held.paused_until or now, (held.until or now) if held.worker else now)

    def _find(self, detail: str) -> None:
        self.found.append(Violation("webhook_lease", detail))
