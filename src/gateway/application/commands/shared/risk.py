"""Asking the rules of risk about a payment."""

from collections.abc import Mapping
from typing import Final, Protocol

from gateway.application.engine.command import Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.engine.risk import Risk
from gateway.domain.account import Account
from gateway.domain.immutable import immutable
from gateway.domain.money import Money
from gateway.domain.payment import CaptureMethod
from gateway.domain.payment_counters import PaymentCounters
from gateway.domain.quote import Quote
from gateway.domain.risk import PaymentAttempt
from gateway.domain.user import UserId


class Terms(Protocol):
    """What is paid: an order, or a requested payment."""

    @property
    def merchant_id(self) -> UserId:
        """The payee."""
        ...

    @property
    def amount(self) -> Money:
        """What the merchant gets, before fees."""
        ...

    @property
    def capture(self) -> CaptureMethod:
        """Whether the money moves at once or is held."""
        ...

    @property
    def reference(self) -> str | None:
        """Its name, if it has one."""
        ...

    @property
    def description(self) -> str | None:
        """What it is for, in words."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the caller has written beside it."""
        ...


@immutable
class Asked:
    """What the rules leave behind of a payment that they do not refuse.

    Attributes:
        counters: The counters with this payment; `None` if the rules count nothing.
        review: The rule that sends it to a review; `None` if none does.
    """

    counters: PaymentCounters | None = None
    review: str | None = None


NOT_ASKED: Final = Asked()
"""There are no rules."""


def ask_rules(
    risk: Risk,
    terms: Terms,
    customer: Account,
    quote: Quote | None,
    *,
    may_wait: bool,
    ledger: LedgerView,
    moment: Moment,
) -> Asked:
    """Ask the rules about a payment from this account. One with a quote cannot wait: its rate is for seconds.

    Raises:
        LimitExceeded: They refuse it.
    """
    counters = ledger.payment_counters(customer.owner_id)
    paid = terms.amount if quote is None else quote.source
    verdict = risk.ask(
        PaymentAttempt(
            customer_id=customer.owner_id,
            merchant_id=terms.merchant_id,
            amount=terms.amount,
            paid=paid,
            capture=terms.capture,
            reference=terms.reference,
            description=terms.description,
            metadata=terms.metadata,
            available_minor=customer.available,
            counters=counters,
            now=moment.now,
        ),
        may_wait=may_wait and quote is None,
    )
    return Asked(
        counters=counters.counted(paid, risk.windows, moment.now) if risk.windows else None,
        review=verdict.rule or None,
    )
