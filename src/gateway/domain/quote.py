"""Quote: a rate that is good for one payment, for a short time."""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from gateway.domain.conversion import share_of
from gateway.domain.errors import CurrencyMismatch
from gateway.domain.exchange_errors import QuoteAmountMismatch, QuoteExpired, QuoteNotFound, QuoteUsed
from gateway.domain.immutable import immutable
from gateway.domain.money import Money
from gateway.domain.payment import PaymentId, QuoteId
from gateway.domain.rate import Rate
from gateway.domain.user import UserId


class SpreadRefund(StrEnum):
    """When the refund of a payment with a quote returns its share of the spread to the customer."""

    ALWAYS = "always"
    WITH_FEE = "with_fee"
    NEVER = "never"


@immutable
class Quote:
    """What a customer pays in one currency so that a merchant gets `target` in another.

    `source` is all that they pay. `spread_minor` of it, in minor units of the source currency, is the gateway's; the
    exchange gets the rest. `payment_id` is the one payment that has used the quote; `version` rises with it.

    A refund uses the rate of the quote, whatever the rate is then: the payment is refundable until `refundable_until`
    (`None`: for ever), and returns the spread as `spread_refund` says.
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
    refundable_until: datetime | None = None
    spread_refund: SpreadRefund = SpreadRefund.ALWAYS

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


def source_refund(
    quote: Quote,
    *,
    refunded_before_minor: int,
    refunded_minor: int,
    with_fee_before_minor: int = 0,
    with_fee_minor: int = 0,
) -> SourceRefund:
    """What goes back to the customer when the refunds of its payment rise from one amount to another.

    At the rate of the quote, rounded down over all refunds so far: a part may bring the customer nothing yet, and
    with any parts, the last refund returns the rest of what the customer paid, less the spread if it stays.

    Args:
        quote: The quote.
        refunded_before_minor: The sum of earlier refunds. All sums are in minor units of the target currency.
        refunded_minor: The sum of all refunds, including this refund.
        with_fee_before_minor: The sum of earlier refunds that returned the fee to the merchant.
        with_fee_minor: The sum of all refunds that returned the fee, including this refund.
    """
    before = _source_refunded(quote, refunded_before_minor, with_fee_before_minor)
    after = _source_refunded(quote, refunded_minor, with_fee_minor)
    return SourceRefund(after.source_minor - before.source_minor, after.spread_minor - before.spread_minor)


def _source_refunded(quote: Quote, refunded_minor: int, with_fee_minor: int) -> SourceRefund:
    target_minor, source_minor = quote.target.amount_minor, quote.source.amount_minor
    if quote.spread_refund is SpreadRefund.ALWAYS:
        return SourceRefund(
            source_minor=share_of(source_minor, part_minor=refunded_minor, of_minor=target_minor),
            spread_minor=share_of(quote.spread_minor, part_minor=refunded_minor, of_minor=target_minor),
        )
    with_spread_minor = with_fee_minor if quote.spread_refund is SpreadRefund.WITH_FEE else 0
    spread_minor = share_of(quote.spread_minor, part_minor=with_spread_minor, of_minor=target_minor)
    net_minor = share_of(source_minor - quote.spread_minor, part_minor=refunded_minor, of_minor=target_minor)
    return SourceRefund(source_minor=net_minor + spread_minor, spread_minor=spread_minor)
