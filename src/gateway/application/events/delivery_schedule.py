"""The schedule of attempts: what follows from a response. Pure; time and chance are arguments."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from gateway.application.events.delivery_limits import RETRY_AFTER_SECONDS_MAX, DeliveryLimits
from gateway.application.ports.delivery_records import Attempt, DeliveryOutcome, DueDelivery, Recording
from gateway.application.ports.webhook_sender import WebhookResponse

JITTER: Final = 0.1
"""Times between attempts vary by this share in both directions, so that retries do not come all at once."""

FAILURES_IN_A_ROW_MAX: Final = 16
"""After so many, a worker waits between two requests to the receiver. Deliveries that wait use up no attempts."""
PROBE_SHARE: Final = 0.1
PROBE_SECONDS_MAX: Final = 60.0
"""The wait is this share of the time for which the receiver has failed, and at most so long."""

SLOW_DOWN: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
"""The receiver is overloaded, or out of reach behind its proxy."""


def recording_of(
    due: DueDelivery,
    response: WebhookResponse,
    *,
    sent_at: datetime,
    now: datetime,
    random: float,
    limits: DeliveryLimits,
) -> Recording:
    """What becomes of a delivery: it is delivered, or due again, or failed after its last attempt.

    Args:
        due: The delivery.
        response: The response to the attempt.
        sent_at: When the attempt began.
        now: When it ended.
        random: A random number, 0 ≤ `random` < 1.
        limits: The times between attempts.
    """
    error = None if response.error is None else response.error.value
    attempt = Attempt(at=sent_at, status=response.status, error=error, latency_ms=response.latency_ms)
    attempts = (*due.delivery.attempts, attempt)
    if response.success:
        return ended(due, DeliveryOutcome.DELIVERED, attempts, now)
    due_at = next_attempt_at(response, attempts=len(attempts), now=now, random=random, limits=limits)
    if due_at is None:
        return ended(due, DeliveryOutcome.FAILED, attempts, now)
    return waiting(due, due_at, attempts, now)


def ended(due: DueDelivery, outcome: DeliveryOutcome, attempts: tuple[Attempt, ...], now: datetime) -> Recording:
    """The recording of a delivery that has ended."""
    return Recording(
        delivery_id=due.delivery.id,
        due_before=due.due_at,
        due_at=None,
        ended_at=now,
        outcome=outcome,
        attempts=attempts,
    )


def waiting(due: DueDelivery, due_at: datetime, attempts: tuple[Attempt, ...], now: datetime) -> Recording:
    """The recording of a delivery that goes on waiting."""
    return Recording(
        delivery_id=due.delivery.id, due_before=due.due_at, due_at=due_at, planned_at=now, attempts=attempts
    )


def is_gone(response: WebhookResponse) -> bool:
    """Whether the receiver wants no further events."""
    return response.status == HTTPStatus.GONE


def next_attempt_at(
    response: WebhookResponse, *, attempts: int, now: datetime, random: float, limits: DeliveryLimits
) -> datetime | None:
    """When a delivery is attempted again; `None` after the last attempt.

    Args:
        response: The response to the last attempt, a failure.
        attempts: How many attempts were made.
        now: When the last attempt ended.
        random: A random number, 0 ≤ `random` < 1.
        limits: The times between attempts.
    """
    if attempts > len(limits.retry_seconds):
        return None
    seconds = limits.retry_seconds[attempts - 1] * (1 - JITTER + 2 * JITTER * random)
    return now + timedelta(seconds=max(seconds, retry_after_seconds(response) or 0.0))


def pause_seconds(response: WebhookResponse, limits: DeliveryLimits) -> float | None:
    """How long nothing is sent to the endpoint after this response; `None` if there is no reason to pause."""
    asked = retry_after_seconds(response)
    if asked is not None:
        return asked
    return limits.pause_seconds if response.status in SLOW_DOWN else None


def retry_after_seconds(response: WebhookResponse) -> float | None:
    """The pause that the receiver asks for, within bounds; a receiver that has taken the event asks for none."""
    if response.success or response.retry_after_seconds is None:
        return None
    return min(max(response.retry_after_seconds, 0.0), RETRY_AFTER_SECONDS_MAX)


def probe_seconds(failing_since: datetime, now: datetime) -> float:
    """How long to wait between two tries of a receiver that has failed many times in a row."""
    return min((now - failing_since).total_seconds() * PROBE_SHARE, PROBE_SECONDS_MAX)


def must_be_disabled(failing_since: datetime, now: datetime, limits: DeliveryLimits) -> bool:
    """Whether an endpoint that fails again has failed for too long."""
    return now - failing_since >= timedelta(seconds=limits.disable_seconds)
