"""Bucket sums: two lists of facts compared in constant memory."""

from typing import Final

from gateway.domain.payment import PaymentId

_BUCKETS: Final = 1 << 16


class BucketSums:
    """Compares the facts about payments in the history with those that the payments imply, and keeps neither list.

    Each fact is added to, or subtracted from, the sum of its payment's bucket. Where the lists differ, the sum of some
    bucket is not zero; only the payments of that bucket have to be compared one by one.
    """

    def __init__(self) -> None:
        self._sums = [0] * _BUCKETS

    def add(self, payment_id: PaymentId, fact: object, times: int = 1) -> None:
        """Add a fact of the history. `times` is its amount: the history may tell it in parts."""
        self._sums[hash(payment_id) % _BUCKETS] += times * hash((payment_id, fact))

    def subtract(self, payment_id: PaymentId, fact: object, times: int = 1) -> None:
        """Subtract a fact that the payment implies."""
        self._sums[hash(payment_id) % _BUCKETS] -= times * hash((payment_id, fact))

    def any_differ(self) -> bool:
        """Whether the lists differ."""
        return any(self._sums)

    def may_differ(self, payment_id: PaymentId) -> bool:
        """Whether the facts about this payment may differ."""
        return self._sums[hash(payment_id) % _BUCKETS] != 0
