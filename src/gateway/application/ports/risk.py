"""Risk: what an embedding program may say of a payment before it is decided."""

from collections.abc import Collection
from datetime import timedelta
from typing import Protocol

from gateway.domain.risk import PaymentAttempt, RiskVerdict


class RiskRules(Protocol):
    """The rules that are asked about each payment, and each confirmation of one, before it is decided."""

    @property
    def windows(self) -> Collection[timedelta]:
        """The lengths of time over which payments of customers are counted. Read once, when the gateway opens.

        At most `RISK_WINDOWS_MAX`, of whole minutes, up to 31 days. Without any, nothing is counted: the counters of
        every attempt are empty, and payments are as fast as without rules.
        """
        ...

    def assess(self, attempt: PaymentAttempt) -> RiskVerdict:
        """Allow the payment, refuse it, or send it to a review.

        It must be pure: a payment may be decided again after a conflict, and it must not wait, for the payments of all
        others wait with it. If it raises, the payment is not made, and its caller gets an internal error.
        """
        ...
