"""The rules of risk of a gateway, as commands ask them."""

from datetime import timedelta
from math import ceil

from gateway.application.ports.risk import RiskRules
from gateway.domain.immutable import immutable
from gateway.domain.limits import REVIEW_SECONDS_DEFAULT
from gateway.domain.risk import LimitExceeded, PaymentAttempt, RiskAction, RiskVerdict


@immutable
class Risk:
    """The rules, and the windows that they count payments over.

    Attributes:
        windows: As `RiskRules.windows`; without any, no counters are loaded or written.
        review_seconds: How long a payment at once waits for its review.
    """

    rules: RiskRules
    windows: tuple[timedelta, ...]
    review_seconds: int = REVIEW_SECONDS_DEFAULT

    def ask(self, attempt: PaymentAttempt, *, may_wait: bool) -> RiskVerdict:
        """What the rules say of a payment that they do not refuse.

        Args:
            attempt: The payment.
            may_wait: Whether it may wait for a review; otherwise, a rule that wants one refuses it.

        Raises:
            LimitExceeded: They refuse it.
            TypeError: They say nothing: a bug of the embedding program.
        """
        verdict = self.rules.assess(attempt)
        if type(verdict) is not RiskVerdict:
            raise TypeError(f"assess() gave {type(verdict).__name__}, not a RiskVerdict.")
        if verdict.action is RiskAction.REFUSE or (verdict.action is RiskAction.REVIEW and not may_wait):
            facts: dict[str, object] = {"rule": verdict.rule}
            if verdict.retry_at is not None:
                seconds = ceil((verdict.retry_at - attempt.now).total_seconds())
                facts["retry_after_seconds"] = max(seconds, 1)
            raise LimitExceeded("A limit of the gateway does not allow this payment now.", **facts)
        return verdict
