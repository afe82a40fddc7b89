"""Quotes: rates, and the quotes that are made at them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.application.commands.make_quote import MakeQuote
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.ports.clock import Clock
from gateway.application.ports.rates import Rates
from gateway.domain.audit import THE_SYSTEM, AuditAction, AuditNote, Facts, Origin
from gateway.domain.checks import check_integer, check_reason, check_type
from gateway.domain.immutable import immutable
from gateway.domain.limits import (
    QUOTE_REFUND_SECONDS_MAX,
    QUOTE_SECONDS_DEFAULT,
    QUOTE_SECONDS_MAX,
    QUOTE_SECONDS_MIN,
)
from gateway.domain.money import Money
from gateway.domain.quote import Quote, SpreadRefund
from gateway.domain.rate import PERCENT, CurrencyPair, ExchangeRate, Rate, check_change, check_pair, rate_text
from gateway.domain.user import UserId


@immutable
class QuoteLimits:
    """What quotes promise, and how far a rate may move.

    Attributes:
        quote_seconds: How long a quote is good for, `QUOTE_SECONDS_MIN` to `QUOTE_SECONDS_MAX`.
        refund_seconds: How long its payment can be refunded, 1 to `QUOTE_REFUND_SECONDS_MAX`; for ever if `None`.
        spread_refund: When a refund returns its share of the spread.
        rate_change_percent_max: The largest change of a rate that needs no confirmation, in percent of the larger of
            the two rates, 1 to 100; 100 allows every change.
    """

    quote_seconds: int = QUOTE_SECONDS_DEFAULT
    refund_seconds: int | None = None
    spread_refund: SpreadRefund = SpreadRefund.ALWAYS
    rate_change_percent_max: int = PERCENT

    def __post_init__(self) -> None:
        check_integer("quote_seconds", self.quote_seconds, QUOTE_SECONDS_MIN, QUOTE_SECONDS_MAX)
        if self.refund_seconds is not None:
            check_integer("refund_seconds", self.refund_seconds, 1, QUOTE_REFUND_SECONDS_MAX)
        check_type("spread_refund", self.spread_refund, SpreadRefund)
        check_integer("rate_change_percent_max", self.rate_change_percent_max, 1, PERCENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotes:
    """Rates are read here, before a command decides: it is told the rate, as it is told the time."""

    executor: CommandExecutor
    rates: Rates
    clock: Clock
    limits: QuoteLimits = field(default_factory=QuoteLimits)
    loop: OneEventLoop = field(default_factory=OneEventLoop, repr=False, compare=False)

    async def set_rate(
        self,
        pair: CurrencyPair,
        rate: Rate,
        *,
        spread_basis_points: int,
        confirmed: bool = False,
        reason: str | None = None,
        origin: Origin | None = None,
    ) -> ExchangeRate:
        """Set what a currency costs in another, for quotes from now on. `reason` and `origin` are for the audit log.

        Raises:
            RateChangeTooLarge: It changes by more than `rate_change_percent_max`, and is not `confirmed`.
            SameCurrency, UnknownCurrency: The pair is none.
            RatesReadOnly: They are set elsewhere.
            InvalidInput: The rate is none, or the spread is not 0 … `SPREAD_BASIS_POINTS_MAX`.
            StorageUnavailable: The storage could not be reached.
        """
        self.loop.check()
        set_now = ExchangeRate(pair=pair, rate=rate, spread_basis_points=spread_basis_points, updated_at=self.clock())
        check_type("confirmed", confirmed, bool)
        check_reason(reason)
        if origin is not None:
            check_type("origin", origin, Origin)
        before = await self.rates.rate(pair)
        if before is not None and not confirmed and self.limits.rate_change_percent_max < PERCENT:
            check_change(before.rate, rate, self.limits.rate_change_percent_max)
        note = AuditNote(
            action=AuditAction.RATE_CHANGED,
            object_id=f"{pair.source}/{pair.target}",
            reason=reason,
            before={} if before is None else _facts(before),
            after=_facts(set_now),
        )
        audit = self.executor.audit_record(note, origin=origin or Origin(actor=THE_SYSTEM), now=set_now.updated_at)
        await self.rates.put(set_now, audit=audit)
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
            refund_seconds=self.limits.refund_seconds,
            spread_refund=self.limits.spread_refund,
        )


def _facts(rate: ExchangeRate) -> Facts:
    return {"rate": rate_text(rate.rate), "spread_basis_points": rate.spread_basis_points}
