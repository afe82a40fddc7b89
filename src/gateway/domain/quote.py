"""Quote: a rate that is good for one payment, for a short time."""

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from gateway.domain.conversion import share_of
from gateway.domain.errors import CurrencyMismatch, QuoteAmountMismatch, QuoteExpired, QuoteNotFound, QuoteUsed
from gateway.domain.immutable import immutable
from gateway.domain.money import Money
from gateway.domain.payment import PaymentId, QuoteId
from gateway.domain.rate import Rate
from gateway.domain.user import UserId


@immutable
class Quote:
    """What a customer pays in one currency so that a merchant gets `target` in another.

    `source` is all that they pay. `spread_minor` of it, in minor units of the source currency, is the gateway's; the
    exchange gets the rest. `payment_id` is the one payment that has used the quote; `version` rises with it.
    """

    id: QuoteId
    customer_id: UserId
    source: Money
    target: Money
    spread_minor: int
    rate: Rate
    spread_basis_points: int
    expires_at: datetime
    created_at: datetime
    payment_id: PaymentId | None = None
    version: int = 1

    def used_by(self, payment_id: PaymentId) -> "Quote":
        """A copy that is marked as used by this payment. Call `check_usable` first."""
        return replace(self, payment_id=payment_id, version=self.version + 1)


class SourceRefund(NamedTuple):
    """What goes back of a payment across currencies, in minor units of the source: in all, and of it the spread."""

    source_minor: int
    spread_minor: int


def check_usable(quote: Quote, *, customer_id: UserId, amount: Money, now: datetime) -> None:
    """Check that a customer's payment of this amount may use a quote now.

    Raises:
        QuoteNotFound: It is somebody else's.
        QuoteUsed: Another payment has.
        QuoteExpired: Its time is over: the moment that `now` reaches `expires_at`.
        CurrencyMismatch, QuoteAmountMismatch: It is for another amount.
    """
    if quote.customer_id != customer_id:
        raise QuoteNotFound("There is no such quote.")
    if quote.payment_id is not None:
        raise QuoteUsed("Another payment has used this quote.")
    if now >= quote.expires_at:
        raise QuoteExpired("The quote's time is over.")
    if amount.currency != quote.target.currency:
        raise CurrencyMismatch(f"The payment is in {amount.currency}, the quote's target in {quote.target.currency}.")
    if amount != quote.target:
        raise QuoteAmountMismatch(
            "The payment is over another amount than the quote's target.", target_amount=quote.target.amount_minor
        )


def source_refund(quote: Quote, *, refunded_before_minor: int, refunded_minor: int) -> SourceRefund:
    """What goes back to the customer when the refunds of its payment rise from one amount to another.

    At the rate of the quote, rounded down over all refunds so far: a part may bring the customer nothing yet, and
    with any parts, the last refund returns the rest of what the customer paid. The refunds are in minor units of the
    target currency.
    """

    def source_refund_at(whole_minor: int) -> int:
        after = share_of(whole_minor, part_minor=refunded_minor, of_minor=quote.target.amount_minor)
        return after - share_of(whole_minor, part_minor=refunded_before_minor, of_minor=quote.target.amount_minor)

    return SourceRefund(
        source_minor=source_refund_at(quote.source.amount_minor), spread_minor=source_refund_at(quote.spread_minor)
    )
