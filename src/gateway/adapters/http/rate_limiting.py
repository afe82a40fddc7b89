"""Rate limits in HTTP: what a request counts for, and the fields of draft-ietf-httpapi-ratelimit-headers-10."""

from collections.abc import Coroutine
from functools import lru_cache
from typing import Any

from gateway.adapters.http.messages import AnyRequest, Header
from gateway.adapters.http.operations import AnyOperation
from gateway.application.access.addresses import network_of
from gateway.application.errors import RateLimited
from gateway.application.rate_limits.bucket import NANOSECONDS, RateLimit
from gateway.application.rate_limits.limiter import NOT_DRAWN, RateLimiter


def count_request(request: AnyRequest, operation: AnyOperation) -> Coroutine[Any, Any, None] | None:
    """Count a request for its user, or for the network of its client, if there is such a limit.

    Returns:
        `None` if that is done, as it nearly always is: the process has a token. Otherwise await what is returned, which
        draws tokens first, and raises `RateLimited` if there are none.
    """
    limits = request.gateway.rate_limits
    if operation.roles:
        limiter = limits.requests
        key: str = request.caller.user_id
    elif operation.limited_by is not None:
        limiter = limits.of_addresses.get(operation.limited_by)
        key = network_of(request.address)
    else:
        return None
    return None if limiter is None else _count(request, limiter, key, 1)


def count_items(request: AnyRequest, operation: AnyOperation) -> Coroutine[Any, Any, None] | None:
    """Count the items of a batch for its user: all but one, for one request was counted before. As `count_request`."""
    limiter = request.gateway.rate_limits.requests
    if operation.items_of is None or limiter is None:
        return None
    further = operation.items_of(request.body) - 1
    return _count(request, limiter, request.caller.user_id, further) if further > 0 else None


def rate_limit_headers(limit: RateLimit, left: int) -> tuple[Header, Header]:
    """The policy, and how many requests are left. `t` is the time in seconds until all are."""
    return _headers(limit.name, limit.count, limit.seconds, left)


@lru_cache(maxsize=1024)
def _headers(name: str, count: int, seconds: int, left: int) -> tuple[Header, Header]:
    """Cached by texts and numbers: hashing a `RateLimit` takes longer. Nearly all users have all of their tokens."""
    limit = RateLimit(name=name, count=count, seconds=seconds)
    left = min(left, count)
    until_all = -(-(count - left) * limit.interval_ns // NANOSECONDS)
    return (
        (b"ratelimit-policy", f'"{name}";q={count};w={seconds}'.encode()),
        (b"ratelimit", f'"{name}";r={left};t={until_all}'.encode()),
    )


def _count(request: AnyRequest, limiter: RateLimiter, key: str, count: int) -> Coroutine[Any, Any, None] | None:
    request.rate_limit = limiter.limit
    left = limiter.try_take(key, count)
    if left == NOT_DRAWN:
        return _draw(request, limiter, key, count)
    request.rate_left = left
    return None


async def _draw(request: AnyRequest, limiter: RateLimiter, key: str, count: int) -> None:
    try:
        request.rate_left = await limiter.take(key, count)
    except RateLimited:
        request.rate_left = 0
        raise
