"""Exchange: what is promised, and what moves by way of the exchange when a payment takes it at its word.

The target is rounded down and the spread up, so the exchange never gives more than it got. What goes back is the share
of all refunds so far, rounded down, less what went back before: nothing is left to anybody after the last one.
"""

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from gateway.application.commands.make_quote import MakeQuote
from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.payment import QuoteId
from gateway.domain.user import UserId
from gateway.simulation.effect import Effect
from gateway.simulation.model import Model, Refused, Rules
from gateway.simulation.model_records import ModelQuote, Move, customer_key, own_key

EXPONENTS: Final = {"JPY": 0, "USD": 2, "KWD": 3, "CLF": 4}
"""The number of decimals of each currency."""

AMOUNT_MAX: Final = 999_999_999_999


def quote(model: Model, command: MakeQuote, now: datetime) -> Effect:
    """Make a quote: a rate for one payment, for a limited time. No money moves."""
    source_currency, target_currency = command.pair
    if source_currency == target_currency:
        raise Refused("same_currency")
    if command.rate is None:
        raise Refused("rate_not_found")
    basis_points = command.rate.spread_basis_points
    major = Fraction(command.rate.rate)
    price = major * Fraction(10 ** EXPONENTS[target_currency], 10 ** EXPONENTS[source_currency])
    if command.amount.currency == source_currency:
        source = command.amount.amount_minor
        target = target_of(source, price, basis_points)
    else:
        target = command.amount.amount_minor
        source = _least_source(target, price, basis_points)
    if target < 1:
        raise Refused("amount_too_small")
    if max(source, target) > AMOUNT_MAX:
        raise Refused("amount_too_large")
    return Effect(
        quote=ModelQuote(
            customer=command.customer_id,
            source=source,
            source_currency=source_currency,
            target=target,
            target_currency=target_currency,
            spread=spread_of(source, basis_points),
            expires_at=now + timedelta(seconds=command.valid_seconds),
            refundable_until=now + timedelta(seconds=command.refund_seconds) if command.refund_seconds else None,
            spread_refund=command.spread_refund.value,
        )
    )


def spread_of(source: int, basis_points: int) -> int:
    """The gateway's share of an amount paid, rounded up to a minor unit."""
    whole, rest = divmod(source * basis_points, 10_000)
    return whole + (rest > 0)


def target_of(source: int, price: Fraction, basis_points: int) -> int:
    """The target amount for a source amount."""
    left = source - spread_of(source, basis_points)
    return left * price.numerator // price.denominator


def good_quote(
    model: Model, quote_id: QuoteId, customer: UserId, amount: int, currency: str, now: datetime, *, manual: bool
) -> ModelQuote:
    """The quote, which must be the customer's, unused, not expired, and for exactly this amount."""
    if manual:
        raise Refused("validation_error")
    promised = model.quotes.get(quote_id)
    if promised is None or promised.customer != customer:
        raise Refused("quote_not_found")
    if promised.payment is not None:
        raise Refused("quote_used")
    if promised.expires_at <= now:
        raise Refused("quote_expired")
    if promised.target_currency != currency:
        raise Refused("currency_mismatch")
    if promised.target != amount:
        raise Refused("quote_amount_mismatch", target_amount=promised.target)
    return promised


def paid_across(promised: ModelQuote, merchant: AccountKey) -> list[Move]:
    """The moves of a payment: customer to exchange, exchange to merchant, and the spread."""
    exchange = own_key(AccountKind.EXCHANGE, promised.source_currency)
    fees = own_key(AccountKind.FEES, promised.source_currency)
    moves = [
        Move("post", own_key(AccountKind.EXCHANGE, promised.target_currency), merchant, promised.target),
        Move("post", customer_key(promised.customer, promised.source_currency), exchange, promised.source),
    ]
    if promised.spread:
        moves.append(Move("post", exchange, fees, promised.spread))
    return moves


def returned_across(promised: ModelQuote, before: tuple[int, int], part: int, part_with_fee: int) -> list[Move]:
    """The moves of a refund to the customer: the share of all refunds, less the share of earlier refunds.

    `before` is the sum of earlier refunds, and of those of them that returned the fee.
    """
    exchange = own_key(AccountKind.EXCHANGE, promised.source_currency)
    fees = own_key(AccountKind.FEES, promised.source_currency)
    refunded, with_fee = before

    def share(whole: int, before: int, part: int) -> int:
        return whole * (before + part) // promised.target - whole * before // promised.target

    spread = 0
    if promised.spread_refund == "with_fee":
        spread = share(promised.spread, with_fee, part_with_fee)
    source = share(promised.source - promised.spread, refunded, part) + spread
    if promised.spread_refund == "always":
        spread = share(promised.spread, refunded, part)
        source = share(promised.source, refunded, part)
    back = customer_key(promised.customer, promised.source_currency)
    moves = (Move("post", fees, exchange, spread), Move("post", exchange, back, source))
    return [move for move in moves if move.amount]


def _least_source(target: int, price: Fraction, basis_points: int) -> int:
    """The smallest source amount that suffices, found by search; one above the maximum if none does."""
    enough, short = AMOUNT_MAX + 1, 0
    while enough - short > 1:
        tried = (enough + short) // 2
        if target_of(tried, price, basis_points) >= target:
            enough = tried
        else:
            short = tried
    return enough


RULES: Final[Rules] = {MakeQuote: quote}
