"""What a customer has paid lately: counts and sums over sliding windows, for the rules of risk (docs/decisions/0049).

A window is cut into `BUCKETS_PER_WINDOW` buckets of equal length. A payment is counted for at least the length of the
window, and for at most one bucket more: no window of that length ever holds more payments than were counted.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Final, NamedTuple, cast

from gateway.domain.checks import wrong_type
from gateway.domain.errors import invalid
from gateway.domain.immutable import immutable
from gateway.domain.limits import RISK_WINDOW_MINUTES_MAX, RISK_WINDOWS_MAX
from gateway.domain.money import CurrencyCode, Money
from gateway.domain.user import UserId

BUCKETS_PER_WINDOW: Final = 60
_MINUTE: Final = timedelta(minutes=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Bucket(NamedTuple):
    """The payments of one part of a window: how many, and their sum in minor units by currency."""

    number: int
    payments: int
    sums: Mapping[CurrencyCode, int]


@immutable
class PaymentCounters:
    """The counters of a customer. They count what the customer paid, in the currencies that it was paid in.

    Attributes:
        version: Rises by 1 with each payment that is counted; 0 if none was.
        windows: The buckets of each window that holds any, the oldest first, by the window's length.
    """

    customer_id: UserId
    version: int = 0
    windows: Mapping[timedelta, Sequence[Bucket]]

    def count(self, window: timedelta, now: datetime) -> int:
        """The number of payments in the last `window` before `now`."""
        return sum(bucket.payments for bucket in self._recent(window, now))

    def sum_minor(self, window: timedelta, currency: CurrencyCode, now: datetime) -> int:
        """What was paid in this currency in the last `window` before `now`, in minor units."""
        return sum(bucket.sums.get(currency, 0) for bucket in self._recent(window, now))

    def count_falls_to(self, count: int, window: timedelta, now: datetime) -> datetime | None:
        """When `count` payments or fewer will be counted, if no more are made; `None` if `count` is negative."""
        recent = self._recent(window, now)
        return _falls_to(count, window, recent, [bucket.payments for bucket in recent], now)

    def sum_falls_to(self, sum_minor: int, window: timedelta, currency: CurrencyCode, now: datetime) -> datetime | None:
        """As `count_falls_to`, of the sum in this currency in minor units."""
        recent = self._recent(window, now)
        return _falls_to(sum_minor, window, recent, [bucket.sums.get(currency, 0) for bucket in recent], now)

    def counted(self, paid: Money, windows: Iterable[timedelta], now: datetime) -> "PaymentCounters":
        """The counters after a payment at `now`, one version on.

        Buckets that have left their window are left out, and so is a window without buckets: of windows that no rule
        names any longer, nothing is left after their length.
        """
        after = {window: self._recent(window, now) for window in self.windows}
        for window in windows:
            after[window] = _with_payment(after.get(window, ()), paid, _number_of(now, window))
        kept = {window: buckets for window, buckets in after.items() if buckets}
        return PaymentCounters(customer_id=self.customer_id, version=self.version + 1, windows=kept)

    def _recent(self, window: timedelta, now: datetime) -> Sequence[Bucket]:
        """Buckets of another process whose clock is ahead count too."""
        oldest = _number_of(now, window) - BUCKETS_PER_WINDOW
        return [bucket for bucket in self.windows.get(window, ()) if bucket.number >= oldest]


def check_windows(windows: object) -> tuple[timedelta, ...]:
    """The windows, each once.

    Raises:
        InvalidInput: They are not a collection of at most `RISK_WINDOWS_MAX` lengths of whole minutes, from one minute
            to `RISK_WINDOW_MINUTES_MAX`.
    """
    if not isinstance(windows, Collection) or isinstance(windows, str):
        raise wrong_type("windows", "a collection of timedeltas", windows)
    given = cast("Collection[timedelta]", windows)
    for window in given:
        check_window("windows", window)
    distinct = tuple(sorted(set(given)))
    if len(distinct) > RISK_WINDOWS_MAX:
        raise invalid("windows", "value_invalid", f"There may be at most {RISK_WINDOWS_MAX} windows.")
    return distinct


def check_window(field: str, window: object) -> None:
    """Refuse what is not the length of a window, as `check_windows`."""
    if type(window) is not timedelta:
        raise wrong_type(field, "a timedelta", window)
    if window % _MINUTE or not _MINUTE <= window <= RISK_WINDOW_MINUTES_MAX * _MINUTE:
        detail = f"A window is of 1 to {RISK_WINDOW_MINUTES_MAX} whole minutes."
        raise invalid(field, "value_invalid", detail)


def _length(window: timedelta) -> timedelta:
    return window / BUCKETS_PER_WINDOW


def _number_of(now: datetime, window: timedelta) -> int:
    return (now - _EPOCH) // _length(window)


def _with_payment(buckets: Sequence[Bucket], paid: Money, number: int) -> Sequence[Bucket]:
    others = [bucket for bucket in buckets if bucket.number != number]
    same = next((bucket for bucket in buckets if bucket.number == number), Bucket(number, 0, {}))
    currency = paid.currency
    sums = {**same.sums, currency: same.sums.get(currency, 0) + paid.amount_minor}
    return sorted([*others, Bucket(number, same.payments + 1, sums)], key=lambda bucket: bucket.number)


def _falls_to(
    wanted: int, window: timedelta, buckets: Sequence[Bucket], amounts: Sequence[int], now: datetime
) -> datetime | None:
    if wanted < 0:
        return None
    total = sum(amounts)
    if total <= wanted:
        return now
    for bucket, gone in zip(buckets, accumulate(amounts), strict=True):
        if total - gone <= wanted:
            # It leaves with the first bucket from which it is more than a window away.
            return _EPOCH + (bucket.number + BUCKETS_PER_WINDOW + 1) * _length(window)
    raise AssertionError("All buckets together are the total.")
