"""Rate limits in HTTP: what a request counts for, and the fields of draft-ietf-httpapi-ratelimit-headers-10."""

from collections.abc import Coroutine
from functools import lru_cache
from typing import Any, Final

from gateway.adapters.http.messages import AnyRequest, Header
from gateway.adapters.http.operations import AnyOperation
from gateway.application.access.addresses import network_of
from gateway.application.errors import RateLimited
from gateway.application.rate_limits.bucket import NANOSECONDS, RateLimit
from gateway.application.rate_limits.limiter import NOT_DRAWN, RateLimiter

BODY_BYTES_PER_REQUEST: Final = 4096
"""A larger body counts for several requests, so that limits bound what a user can have stored, in bytes too."""


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


def count_body(request: AnyRequest, operation: AnyOperation, size: int) -> Coroutine[Any, Any, None] | None:
    """Count a body of `size` bytes for its user: all but one, for one request was counted before. As `count_request`.

    It counts for each started `BODY_BYTES_PER_REQUEST`, and a batch at least for its items. A body that counts for more
    than the limit takes all that the limit allows. Of requests without a token, nothing but short fields is stored.
    """
    limiter = request.gateway.rate_limits.requests
    if limiter is None or not operation.roles:
        return None
    items = 1 if operation.items_of is None else operation.items_of(request.body)
    further = min(max(items, -(-size // BODY_BYTES_PER_REQUEST)), limiter.limit.count) - 1
    return _count(request, limiter, request.caller.user_id, further, again=1) if further > 0 else None


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


def _count(
    request: AnyRequest, limiter: RateLimiter, key: str, count: int, *, again: int = 0
) -> Coroutine[Any, Any, None] | None:
    request.rate_limit = limiter.limit
    left = limiter.try_take(key, count)
    if left == NOT_DRAWN:
        return _draw(request, limiter, key, count, again)
    request.rate_left = left
    return None


async def _draw(request: AnyRequest, limiter: RateLimiter, key: str, count: int, again: int) -> None:
    try:
        request.rate_left = await limiter.take(key, count, again=again)
    except RateLimited:
        request.rate_left = limiter.left(key)
        raise
