"""Rules of risk: asked about a payment before it is decided. Each allows it, refuses it, or sends it to a review."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from gateway.domain.checks import check_instant, check_text, check_type
from gateway.domain.errors import Refusal, invalid
from gateway.domain.immutable import immutable
from gateway.domain.limits import RISK_RULE_LENGTH_MAX
from gateway.domain.money import Money
from gateway.domain.payment import CaptureMethod
from gateway.domain.payment_counters import PaymentCounters
from gateway.domain.user import UserId


class LimitExceeded(Refusal):
    """A rule of risk, `rule`, forbids the payment; `retry_after_seconds` says when to try again, if that helps."""

    code = "limit_exceeded"
    stored = False


@immutable
class PaymentAttempt:
    """A payment that is about to be decided, with what is known of its customer.

    Attributes:
        amount: What the merchant gets, before fees.
        paid: What the customer pays: `amount`, or the source of a quote in another currency.
        available_minor: What the customer has available in the currency of `paid`, in minor units.
        counters: What the customer has paid lately, without this payment.
        now: The time of the decision.
    """

    customer_id: UserId
    merchant_id: UserId
    amount: Money
    paid: Money
    capture: CaptureMethod
    reference: str | None
    description: str | None
    metadata: Mapping[str, str]
    available_minor: int
    counters: PaymentCounters
    now: datetime


class RiskAction(StrEnum):
    """What is to happen with a payment."""

    ALLOW = "allow"
    REVIEW = "review"
    REFUSE = "refuse"


@immutable
class RiskVerdict:
    """What the rules say of a payment. Made by `refused` and `reviewed`; `ALLOWED` is the third.

    Attributes:
        rule: The name of the rule that does not allow it, for clients and operators.
        retry_at: When the same payment will be allowed, if the customer makes no other; `None` if nobody knows.

    Raises:
        InvalidInput: `rule` is empty or longer than `RISK_RULE_LENGTH_MAX`, or a rule allows nothing.
    """

    action: RiskAction
    rule: str = ""
    retry_at: datetime | None = None

    def __post_init__(self) -> None:
        check_type("action", self.action, RiskAction)
        check_text("rule", self.rule, RISK_RULE_LENGTH_MAX, length_min=0)
        if bool(self.rule) is (self.action is RiskAction.ALLOW):
            raise invalid(
                "rule", "value_invalid", "What is not allowed names its rule, and what is allowed names none."
            )
        if self.retry_at is not None:
            check_instant("retry_at", self.retry_at)


ALLOWED: Final = RiskVerdict(action=RiskAction.ALLOW)
"""No rule has anything against it."""


def refused(rule: str, *, retry_at: datetime | None = None) -> RiskVerdict:
    """The payment is refused with `limit_exceeded`."""
    return RiskVerdict(action=RiskAction.REFUSE, rule=rule, retry_at=retry_at)


def reviewed(rule: str) -> RiskVerdict:
    """The payment waits until an operator approves or declines it."""
    return RiskVerdict(action=RiskAction.REVIEW, rule=rule)
