"""Rate limits in HTTP: what a request counts for, and the fields of draft-ietf-httpapi-ratelimit-headers-10."""

from functools import lru_cache

from gateway.adapters.http.messages import AnyRequest, Header
from gateway.adapters.http.operations import AnyOperation
from gateway.application.access.addresses import network_of
from gateway.application.errors import RateLimited
from gateway.application.rate_limits.bucket import NANOSECONDS, RateLimit
from gateway.application.rate_limits.limiter import NOT_DRAWN, RateLimiter


async def count_request(request: AnyRequest, operation: AnyOperation) -> None:
    """Count a request for its user, or for the network of its client, if there is such a limit.

    Raises:
        RateLimited: There were too many.
    """
    limits = request.gateway.rate_limits
    if operation.roles:
        if limits.requests is not None:
            await _count(request, limits.requests, request.caller.user_id, 1)
    elif operation.limited_by is not None:
        limiter = limits.of_addresses.get(operation.limited_by)
        if limiter is not None:
            await _count(request, limiter, network_of(request.address), 1)


async def count_items(request: AnyRequest, operation: AnyOperation) -> None:
    """Count the items of a batch for its user: all but one, for one request was counted before.

    Raises:
        RateLimited: There were too many.
    """
    limiter = request.gateway.rate_limits.requests
    if operation.items_of is not None and limiter is not None:
        further = operation.items_of(request.body) - 1
        if further > 0:
            await _count(request, limiter, request.caller.user_id, further)


def rate_limit_headers(limit: RateLimit, left: int) -> list[Header]:
    """The policy, and how many requests are left. `t` is the time in seconds until all are."""
    seconds = -(-(limit.count - left) * limit.interval_ns // NANOSECONDS)
    return [_policy(limit), (b"ratelimit", f'"{limit.name}";r={left};t={seconds}'.encode())]


@lru_cache(maxsize=16)
def _policy(limit: RateLimit) -> Header:
    return b"ratelimit-policy", f'"{limit.name}";q={limit.count};w={limit.seconds}'.encode()


async def _count(request: AnyRequest, limiter: RateLimiter, key: str, count: int) -> None:
    request.rate_limit = limiter.limit
    left = limiter.try_take(key, count)
    if left == NOT_DRAWN:
        try:
            left = await limiter.take(key, count)
        except RateLimited:
            request.rate_left = 0
            raise
    request.rate_left = min(left, limiter.limit.count)
