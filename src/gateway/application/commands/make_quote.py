"""Make a quote for a payment across currencies."""

from datetime import timedelta
from typing import ClassVar

from typing_extensions import override

from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.ledger_view import LedgerView
from gateway.application.ports.unit_of_work import Needs
from gateway.domain.account import check_user_id
from gateway.domain.checks import check_integer, check_type
from gateway.domain.conversion import converted
from gateway.domain.errors import invalid
from gateway.domain.exchange_errors import RateNotFound
from gateway.domain.immutable import immutable
from gateway.domain.limits import (
    QUOTE_REFUND_SECONDS_MAX,
    QUOTE_SECONDS_DEFAULT,
    QUOTE_SECONDS_MAX,
    QUOTE_SECONDS_MIN,
)
from gateway.domain.money import Money
from gateway.domain.payment import QuoteId
from gateway.domain.quote import Quote, SpreadRefund
from gateway.domain.rate import CurrencyPair, ExchangeRate, check_distinct, check_pair
from gateway.domain.user import UserId


@immutable
class MakeQuote(Command[Quote]):
    """Promise to convert `amount` at `rate` for one payment within `valid_seconds`. No money moves.

    `amount` is in the source currency (what the customer pays) or in the target currency (what the merchant gets).
    `rate` is the rate of the pair, or `None` if there is none; `application/quotes.py` looks it up.
    The payment can be refunded for `refund_seconds` (1 to `QUOTE_REFUND_SECONDS_MAX`) from now; for ever if `None`.
    Refuses: same_currency, rate_not_found, amount_too_small, amount_too_large.
    """

    result_type: ClassVar = Quote

    customer_id: UserId
    pair: CurrencyPair
    amount: Money
    rate: ExchangeRate | None
    valid_seconds: int = QUOTE_SECONDS_DEFAULT
    refund_seconds: int | None = None
    spread_refund: SpreadRefund = SpreadRefund.ALWAYS

    def __post_init__(self) -> None:
        check_user_id("customer_id", self.customer_id)
        check_pair(self.pair)
        check_type("amount", self.amount, Money)
        if self.amount.currency not in self.pair:
            detail = f"The amount is in {self.amount.currency}, which is neither of the quote's currencies."
            raise invalid("amount", "value_invalid", detail)
        if self.rate is not None:
            check_type("rate", self.rate, ExchangeRate)
            if self.rate.pair != self.pair:
                raise invalid("rate", "value_invalid", "The rate is for other currencies.")
        check_integer("valid_seconds", self.valid_seconds, QUOTE_SECONDS_MIN, QUOTE_SECONDS_MAX)
        if self.refund_seconds is not None:
            check_integer("refund_seconds", self.refund_seconds, 1, QUOTE_REFUND_SECONDS_MAX)
        check_type("spread_refund", self.spread_refund, SpreadRefund)

    @override
    def needs(self) -> Needs:
        """Nothing: the customer's balance counts when they pay."""
        return Needs()

    @override
    def decide(self, ledger: LedgerView, moment: Moment) -> Decision[Quote]:
        pair = check_distinct(self.pair)
        if self.rate is None:
            raise RateNotFound(f"There is no rate from {pair.source} to {pair.target}.")
        conversion = converted(self.amount, self.rate)
        quote = Quote(
            id=QuoteId(moment.new_id("quo")),
            customer_id=self.customer_id,
            source=conversion.source,
            target=conversion.target,
            spread_minor=conversion.spread_minor,
            rate=self.rate.rate,
            spread_basis_points=self.rate.spread_basis_points,
            expires_at=moment.now + timedelta(seconds=self.valid_seconds),
            created_at=moment.now,
            refundable_until=(
                None if self.refund_seconds is None else moment.now + timedelta(seconds=self.refund_seconds)
            ),
            spread_refund=self.spread_refund,
        )
        return Decision(outcome=quote, quotes=(quote,))
