"""What a worker knows of the receiver behind an endpoint, while it holds the lease."""

from datetime import datetime, timedelta
from typing import Final

from gateway.application.events.adaptive_limit import AdaptiveLimit
from gateway.application.events.delivery_limits import DeliveryLimits
from gateway.application.events.delivery_schedule import (
    FAILURES_IN_A_ROW_MAX,
    is_gone,
    must_be_disabled,
    pause_seconds,
    probe_seconds,
)
from gateway.application.ports.delivery_records import Lease, QueueState
from gateway.application.ports.webhook_sender import WebhookError, WebhookResponse
from gateway.domain.webhook_endpoint import DisabledReason

_MILLISECONDS = 1_000

PUT_OFF_SECONDS: Final = 1.0
"""How long nothing is sent to a receiver after the gateway had no room to look its host up."""

SENDER_FAILED: Final = WebhookResponse(
    status=None, error=WebhookError.CONNECTION_FAILED, retry_after_seconds=None, latency_ms=0
)
"""What a bug of the sender counts as."""


class Receiver:
    """How the receiver answers: whether it fails, is slow, asks for a pause, or wants no more.

    Attributes:
        disable_reason: Why the endpoint must be disabled; `None` if it must not.
    """

    def __init__(self, lease: Lease, limits: DeliveryLimits) -> None:
        self.disable_reason: DisabledReason | None = None
        self._endpoint_id = lease.endpoint_id
        self._limits = limits
        self._failing_since = lease.failing_since
        self._paused_until: datetime | None = None
        self._paused_at: datetime | None = None
        self._is_slow = lease.is_slow
        self._failures_in_a_row = 0
        self._in_flight = AdaptiveLimit(limits.sends_per_endpoint_max, is_slow=lease.is_slow)

    @property
    def state(self) -> QueueState:
        """What is known, for the next holder of the lease."""
        return QueueState(
            endpoint_id=self._endpoint_id,
            failing_since=self._failing_since,
            paused_until=self._paused_until,
            paused_at=self._paused_at,
            is_slow=self._is_slow,
        )

    @property
    def sends_max(self) -> int:
        """How many requests may be in flight now."""
        return self._in_flight.current

    @property
    def is_slow(self) -> bool:
        """Whether the last request failed or took long."""
        return self._is_slow

    def wants_more(self, now: datetime) -> bool:
        """Whether anything may be sent now."""
        return self.disable_reason is None and (self._paused_until is None or self._paused_until <= now)

    def endpoint_was_changed(self, at: datetime) -> None:
        """Forget failures from before the last change of the endpoint, which may have mended it."""
        if self._failing_since is not None and self._failing_since < at:
            self._failing_since = None
            self._failures_in_a_row = 0

    def succeeded(self, response: WebhookResponse) -> None:
        """The receiver has taken an event."""
        self._in_flight.succeeded()
        self._failing_since = None
        self._failures_in_a_row = 0
        self._is_slow = response.latency_ms > self._limits.slow_seconds * _MILLISECONDS

    def failed(self, response: WebhookResponse, now: datetime) -> None:
        """The receiver has not taken an event."""
        gets_one_at_once = self._in_flight.current == 1
        self._in_flight.failed()
        self._is_slow = True
        self._failures_in_a_row += 1
        # A failure in the future was noted by a clock that was ahead.
        if self._failing_since is None or self._failing_since > now:
            self._failing_since = now
        if is_gone(response):
            self.disable_reason = DisabledReason.GONE
        elif must_be_disabled(self._failing_since, now, self._limits):
            self.disable_reason = DisabledReason.FAILING
        # A receiver that fails with many requests in flight gets fewer; one that fails with a single request is paused.
        pause = (pause_seconds(response, self._limits) or 0.0) if gets_one_at_once else 0.0
        if self._failures_in_a_row >= FAILURES_IN_A_ROW_MAX:
            pause = max(pause, probe_seconds(self._failing_since, now))
        if pause:
            self._pause(now, pause)

    def put_off(self, now: datetime) -> None:
        """Nothing could be sent, for a reason that is not the receiver's. It is no failure."""
        self._pause(now, PUT_OFF_SECONDS)

    def _pause(self, now: datetime, seconds: float) -> None:
        until = now + timedelta(seconds=seconds)
        if self._paused_until is None or until > self._paused_until:
            self._paused_until, self._paused_at = until, now
