"""Expiry without a worker: at once, when a test asks for it."""

from gateway.application.expiry import Expiry, ExpiryLimits
from gateway.application.gateway import Gateway

_LIMITS = ExpiryLimits()


async def expire_due(gateway: Gateway) -> int:
    """Write the expiry of every payment whose time is over, as a worker does. Returns their number.

    Raises:
        StorageUnavailable: The storage is away.
    """
    expiry = Expiry(
        executor=gateway.executor, reader=gateway.storage.reader, clock=gateway.queries.clock, limits=_LIMITS
    )
    expired = 0
    while ended := await expiry.run_once():
        expired += ended
    return expired
