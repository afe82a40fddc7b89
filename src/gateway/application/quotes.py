"""Quotes: rates, and the quotes that are made at them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.application.commands.make_quote import MakeQuote
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.ports.clock import Clock
from gateway.application.ports.rates import Rates
from gateway.domain.checks import check_integer
from gateway.domain.immutable import immutable
from gateway.domain.limits import QUOTE_SECONDS_DEFAULT, QUOTE_SECONDS_MAX, QUOTE_SECONDS_MIN
from gateway.domain.money import Money
from gateway.domain.quote import Quote
from gateway.domain.rate import CurrencyPair, ExchangeRate, Rate, check_pair
from gateway.domain.user import UserId


@immutable
class QuoteLimits:
    """How long a quote is good for, `QUOTE_SECONDS_MIN` to `QUOTE_SECONDS_MAX`."""

    quote_seconds: int = QUOTE_SECONDS_DEFAULT

    def __post_init__(self) -> None:
        check_integer("quote_seconds", self.quote_seconds, QUOTE_SECONDS_MIN, QUOTE_SECONDS_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotes:
    """Rates are read here, before a command decides: it is told the rate, as it is told the time."""

    executor: CommandExecutor
    rates: Rates
    clock: Clock
    limits: QuoteLimits = field(default_factory=QuoteLimits)
    loop: OneEventLoop = field(default_factory=OneEventLoop, repr=False, compare=False)

    async def set_rate(self, pair: CurrencyPair, rate: Rate, *, spread_basis_points: int) -> ExchangeRate:
        """Set what a currency costs in another, for quotes from now on.

        Raises:
            SameCurrency, UnknownCurrency: The pair is none.
            RatesReadOnly: They are set elsewhere.
            InvalidInput: The rate is none, or the spread is not 0 … `SPREAD_BASIS_POINTS_MAX`.
            StorageUnavailable: The storage could not be reached.
        """
        self.loop.check()
        set_now = ExchangeRate(pair=pair, rate=rate, spread_basis_points=spread_basis_points, updated_at=self.clock())
        await self.rates.put(set_now)
        return set_now

    async def all_rates(self) -> Sequence[ExchangeRate]:
        """What currencies cost now, in the order of their pairs."""
        self.loop.check()
        return await self.rates.rates()

    async def quote(self, customer_id: UserId, pair: CurrencyPair, amount: Money) -> Quote:
        """Promise a customer the rate of now. `amount` is in one of the pair's currencies, as in `MakeQuote`.

        Raises:
            Refusal: As `MakeQuote` refuses.
            StorageUnavailable: The storage could not be reached.
        """
        self.loop.check()
        command = await self.quote_command(customer_id, pair, amount)
        return await self.executor.execute(command, owner_id=customer_id)

    async def quote_command(self, customer_id: UserId, pair: CurrencyPair, amount: Money) -> MakeQuote:
        """The command that asks for a quote at the rate of now."""
        self.loop.check()
        check_pair(pair)
        # A missing rate is passed on: the command refuses it, unless its key has an answer to replay.
        return MakeQuote(
            customer_id=customer_id,
            pair=pair,
            amount=amount,
            rate=await self.rates.rate(pair),
            valid_seconds=self.limits.quote_seconds,
        )
