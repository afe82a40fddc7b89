"""Limits of the delivery of webhooks, and the settings of its schedule."""

from typing import Final

from gateway.domain.immutable import immutable

DAY_SECONDS: Final = 86_400.0
RETRY_SECONDS: Final = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, DAY_SECONDS)
RETRY_AFTER_SECONDS_MAX: Final = DAY_SECONDS
"""A receiver may ask for no longer pause."""
REPLAYS_PER_ENDPOINT_MAX: Final = 4
"""How many replays of one endpoint may be under way."""


@immutable
class DeliveryLimits:
    """How deliveries are scheduled, and how much one worker does at once.

    Attributes:
        poll_seconds: How often a worker looks for events and for due deliveries of other processes.
        lease_seconds: How long a worker holds an endpoint without renewing its lease. After a crash, another worker
            takes the endpoint over when this time has passed.
        retry_seconds: The times between attempts. A delivery has one attempt more than there are times.
        order_seconds: How long the next event of an object waits for the event before it.
        disable_seconds: An endpoint is disabled when no delivery has succeeded for so long.
        pause_seconds: How long nothing is sent to a receiver that answers 429, 502 or 504 without `Retry-After`.
        endpoints_max: How many endpoints one worker delivers to at once. At most half of them are slow ones.
        sends_per_endpoint_max: How many requests to one endpoint are in flight at once.
        sends_max: How many requests of one worker are in flight at once.
        window_size: How many due deliveries of an endpoint are loaded at once.
        turn_seconds: After so long, a worker gives an endpoint back if other endpoints wait.
        slow_seconds: An endpoint whose requests take longer is slow.
        sweep_seconds: How often a worker looks for replays and for deliveries of disabled endpoints.
        report_seconds: How often a worker logs what it has done.
        stop_seconds: How long requests in flight may still take when the worker stops.
    """

    poll_seconds: float = 0.2
    lease_seconds: float = 30.0
    retry_seconds: tuple[float, ...] = RETRY_SECONDS
    order_seconds: float = 60.0
    disable_seconds: float = 5 * DAY_SECONDS
    pause_seconds: float = 5.0
    endpoints_max: int = 32
    sends_per_endpoint_max: int = 32
    sends_max: int = 512
    window_size: int = 256
    turn_seconds: float = 5.0
    slow_seconds: float = 1.0
    sweep_seconds: float = 2.0
    report_seconds: float = 10.0
    stop_seconds: float = 10.0
