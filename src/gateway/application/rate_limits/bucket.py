"""The token bucket: pure functions of integers.

A bucket is one number, the moment when it will be full again: a token that is taken puts the moment off by the time in
which a token comes back. A bucket that is full now, and one that nobody knows of, are the same.
"""

from typing import Final, NamedTuple

from gateway.domain.checks import check_type
from gateway.domain.immutable import immutable

NANOSECONDS: Final = 1_000_000_000


@immutable
class RateLimit:
    """`count` requests in `seconds`, and no more than `count` at once. `name` is shown to clients."""

    name: str
    count: int
    seconds: int = 60

    def __post_init__(self) -> None:
        """Check that tokens come back after a whole number of nanoseconds, and not at once."""
        check_type("count", self.count, int)
        check_type("seconds", self.seconds, int)
        if not 1 <= self.count <= self.seconds * NANOSECONDS:
            raise ValueError("A rate limit allows at least one request, and at most one a nanosecond.")

    @property
    def interval_ns(self) -> int:
        """The time in which one token comes back. Rounded up: a limit is never exceeded."""
        return -(-self.seconds * NANOSECONDS // self.count)

    @property
    def capacity_ns(self) -> int:
        """The time in which an empty bucket is full again."""
        return self.count * self.interval_ns


class Taken(NamedTuple):
    """The bucket afterwards, the tokens that were granted, and those that are left."""

    full_at_ns: int
    granted: int
    left: int


def take(limit: RateLimit, full_at_ns: int, now_ns: int, *, needed: int, wanted: int) -> Taken:
    """Take `wanted` tokens or as many as there are; none, if they are fewer than `needed`."""
    # A moment further away than an empty bucket's is one of a clock that was set back since.
    full_at_ns = min(max(full_at_ns, now_ns), now_ns + limit.capacity_ns)
    available = (now_ns + limit.capacity_ns - full_at_ns) // limit.interval_ns
    granted = min(wanted, available) if available >= needed else 0
    return Taken(full_at_ns + granted * limit.interval_ns, granted, available - granted)


def give_back(limit: RateLimit, full_at_ns: int, unused: int) -> int:
    """The bucket with tokens that were taken and not used."""
    return full_at_ns - unused * limit.interval_ns
