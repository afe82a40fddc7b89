"""What a dispatcher has done since its last report."""

from dataclasses import asdict, dataclass

from gateway.application.ports.delivery_records import DeliveryOutcome


@dataclass(slots=True)
class DeliveryCounts:
    """Counted since the last report.

    Attributes:
        queued: Deliveries that the fan-out made.
        delivered: Deliveries that ended with a success.
        failed_attempts: Attempts that failed.
        put_off: Attempts that were not made, because too many host names were being looked up.
        failed: Deliveries that ended with their last failure.
        canceled: Deliveries that ended because their endpoint is disabled or deleted.
        disabled: Endpoints that were disabled.
    """

    queued: int = 0
    delivered: int = 0
    failed_attempts: int = 0
    put_off: int = 0
    failed: int = 0
    canceled: int = 0
    disabled: int = 0

    def count(self, outcome: DeliveryOutcome | None) -> None:
        """Count a delivery that has ended; `None` if it goes on waiting."""
        self.delivered += outcome is DeliveryOutcome.DELIVERED
        self.failed += outcome is DeliveryOutcome.FAILED
        self.canceled += outcome is DeliveryOutcome.CANCELED

    def taken(self) -> dict[str, int]:
        """The counts that are not 0. They begin at 0 again."""
        taken = {name: count for name, count in asdict(self).items() if count}
        for name in taken:
            setattr(self, name, 0)
        return taken
