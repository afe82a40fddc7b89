"""Rate limits in HTTP: what a request counts for, and the fields of draft-ietf-httpapi-ratelimit-headers-10."""

from collections.abc import Coroutine
from functools import lru_cache
from operator import itemgetter
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

    A request of an API key with a limit of its own counts for the key first, and then for its owner.

    Returns:
        `None` if that is done, as it nearly always is: the process has a token. Otherwise await what is returned, which
        draws tokens first, and raises `RateLimited` if there are none.
    """
    limits = request.gateway.rate_limits
    if operation.roles:
        caller = request.caller
        if caller.requests_per_minute is not None and limits.of_keys is not None:
            return _count_for_both(request, limits.of_keys.of(caller.requests_per_minute), 1)
        limiter = limits.requests
        key: str = caller.user_id
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
    if not operation.roles:
        return None
    limits = request.gateway.rate_limits
    items = 1 if operation.items_of is None else operation.items_of(request.body)
    requests = max(items, -(-size // BODY_BYTES_PER_REQUEST))
    per_minute = request.caller.requests_per_minute
    if per_minute is not None and limits.of_keys is not None:
        return _count_for_both(request, limits.of_keys.of(per_minute), requests, counted=1)
    limiter = limits.requests
    if limiter is None:
        return None
    further = min(requests, limiter.limit.count) - 1
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


async def _count_for_both(request: AnyRequest, of_key: RateLimiter, requests: int, *, counted: int = 0) -> None:
    """Count for a key with a limit of its own, and for its owner. The response shows the limit that has less left.

    Args:
        request: Of the key.
        of_key: The limiter of keys with this limit.
        requests: How many requests it counts for.
        counted: How many of them were counted before.
    """
    caller = request.caller
    counted_for: list[tuple[RateLimit, int]] = []
    for limiter, key in ((of_key, str(caller.session_id)), (request.gateway.rate_limits.requests, caller.user_id)):
        further = 0 if limiter is None else min(requests, limiter.limit.count) - counted
        if limiter is None or further <= 0:
            continue
        request.rate_limit = limiter.limit
        await _draw(request, limiter, key, further, counted)
        counted_for.append((limiter.limit, request.rate_left))
    if counted_for:
        request.rate_limit, request.rate_left = min(counted_for, key=itemgetter(1))


async def _draw(request: AnyRequest, limiter: RateLimiter, key: str, count: int, again: int) -> None:
    try:
        request.rate_left = await limiter.take(key, count, again=again)
    except RateLimited:
        request.rate_left = limiter.left(key)
        raise
