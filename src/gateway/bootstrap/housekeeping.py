"""The housekeeping of a gateway."""

from gateway.application.gateway import Gateway
from gateway.application.housekeeping import Housekeeper
from gateway.application.shared_clock import SharedClock
from gateway.bootstrap.limits import housekeeping_limits
from gateway.settings.values import Settings


def housekeeper_of(gateway: Gateway, settings: Settings, clock: SharedClock) -> Housekeeper | None:
    """A housekeeper that has not begun; `None` if the settings switch it off."""
    if not settings.housekeeping_enabled:
        return None
    return Housekeeper(storage=gateway.storage, clock=clock, limits=housekeeping_limits(settings))
