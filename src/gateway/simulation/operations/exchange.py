"""Customers make quotes, and pay and confirm with them: in time or late, for the right amount or another."""

from decimal import Decimal
from typing import Final

from gateway.application.commands.confirm_payment import ConfirmPayment
from gateway.application.commands.make_quote import MakeQuote
from gateway.application.commands.pay import Pay
from gateway.application.commands.request_payment import RequestPayment
from gateway.domain.money import CurrencyCode, Money, exponent
from gateway.domain.payment import CaptureMethod, QuoteId
from gateway.domain.payment_terms import PaymentOrder, PaymentRequest
from gateway.domain.quote import SpreadRefund
from gateway.domain.rate import CurrencyPair, ExchangeRate, Rate
from gateway.domain.user import UserId
from gateway.simulation.model_records import ModelPayment, customer_key
from gateway.simulation.operations.payments import request
from gateway.simulation.world import CURRENCIES, NO_PAYMENT, World

PRICES: Final = ("1", "1.0842", "0.3333", "0.99999999", "3.14159265", "7")
"""Roughly realistic rates between minor units, so that amounts stay in a normal range."""

EXTREME: Final = (Rate(Decimal("0.000000001")), Rate(Decimal(1_000_000_000)))

SPREADS: Final = (0, 0, 1, 50, 333, 10_000)

VALID_SECONDS: Final = (1, 60, 3_600, 3_600)

REFUND_SECONDS: Final = (None, None, None, 60, 3_600, 86_400)
SPREAD_REFUNDS: Final = (SpreadRefund.ALWAYS, SpreadRefund.ALWAYS, SpreadRefund.WITH_FEE, SpreadRefund.NEVER)

_KINDS: Final = tuple(dict.fromkeys(CURRENCIES))


def quote(world: World) -> MakeQuote:
    """A customer makes a quote: for a source amount, a target amount, or the amount of a request."""
    asked = world.payment("requires_confirmation") if world.chance(30) else None
    if asked is not None and asked.status == "requires_confirmation":
        return _quote_for(world, asked)
    payer = world.one_of(world.payers)
    pair = CurrencyPair(payer.currency, payer.currency if world.chance(1) else _another(world, payer.currency))
    amount = world.amount(world.model.accounts[payer].available)
    return _quote(world, payer.owner_id, pair, Money(amount, world.one_of(pair)))


def pay_across(world: World) -> Pay:
    """A customer pays with a quote."""
    return paying(world, world.quote())


def paying(world: World, quote_id: QuoteId) -> Pay:
    """A payment with this quote, mostly for its amount."""
    promised = world.model.quotes.get(quote_id)
    if promised is None:
        payer = world.one_of(world.payers)
        customer, amount, currency = payer.owner_id, world.amount(1), payer.currency
    else:
        customer, amount, currency = promised.customer, promised.target, CurrencyCode(promised.target_currency)
    if world.chance(4):
        customer = world.one_of(world.customers)
    if world.chance(4):
        amount = world.amount(amount)
    if world.chance(2):
        currency = _another(world, currency)
    return Pay(
        order=PaymentOrder(
            customer_id=customer,
            merchant_id=world.merchant(currency),
            amount=Money(amount, currency),
            metadata={},
            quote_id=quote_id,
        )
    )


def request_across(world: World) -> RequestPayment:
    """A merchant requests the exact target amount of a quote."""
    promised = world.model.quotes.get(world.quote())
    if promised is None:
        return request(world)
    currency = CurrencyCode(promised.target_currency)
    return RequestPayment(
        request=PaymentRequest(
            customer_id=promised.customer if world.chance(50) else None,
            merchant_id=world.merchant(currency),
            amount=Money(promised.target, currency),
            metadata={},
            capture=CaptureMethod.MANUAL if world.chance(10) else CaptureMethod.AUTOMATIC,
        )
    )


def confirm_across(world: World) -> ConfirmPayment:
    """A customer confirms with a quote: a request for exactly its target amount, if there is one."""
    quotes, payments = world.model.quotes, world.model.payments
    good = [quotes[each] for each in world.good_quotes()]
    fitting = {each.id: world.requested.get((each.target_currency, each.target)) for each in good}
    quote_id = next((each for each, payment_id in fitting.items() if payment_id is not None), None) or world.quote()
    promised, requested = quotes.get(quote_id), fitting.get(quote_id)
    asked = world.payment("requires_confirmation") if requested is None else payments[requested]
    if asked is None or promised is None:
        payment_id = NO_PAYMENT if asked is None else asked.id
        return ConfirmPayment(payment_id=payment_id, customer_id=world.one_of(world.customers), quote_id=quote_id)
    customer = promised.customer if asked.customer is None or world.chance(90) else asked.customer
    return ConfirmPayment(payment_id=asked.id, customer_id=customer, quote_id=quote_id)


def _quote_for(world: World, asked: ModelPayment) -> MakeQuote:
    customer = asked.customer or world.one_of(world.customers)
    currency = CurrencyCode(asked.currency)
    others = [kind for kind in _KINDS if kind != currency]
    own = [kind for kind in others if customer_key(customer, kind) in world.model.accounts]
    pair = CurrencyPair(world.one_of(own or others), currency)
    return _quote(world, customer, pair, Money(asked.amount, currency))


def _quote(world: World, customer: UserId, pair: CurrencyPair, amount: Money) -> MakeQuote:
    return MakeQuote(
        customer_id=customer,
        pair=pair,
        amount=amount,
        # Nobody can set a rate between a currency and itself.
        rate=None if pair.source == pair.target or world.chance(2) else _rate(world, pair),
        valid_seconds=world.one_of(VALID_SECONDS),
        refund_seconds=world.one_of(REFUND_SECONDS),
        spread_refund=world.one_of(SPREAD_REFUNDS),
    )


def _rate(world: World, pair: CurrencyPair) -> ExchangeRate:
    rate = Rate(Decimal(world.one_of(PRICES)).scaleb(exponent(pair.source) - exponent(pair.target)))
    return ExchangeRate(
        pair=pair,
        rate=world.one_of(EXTREME) if world.chance(3) else rate,
        spread_basis_points=world.one_of(SPREADS),
        updated_at=world.clock(),
    )


def _another(world: World, currency: CurrencyCode) -> CurrencyCode:
    return world.one_of([each for each in _KINDS if each != currency])


OPERATIONS: Final = ((9, quote), (9, pay_across), (3, request_across), (4, confirm_across))
