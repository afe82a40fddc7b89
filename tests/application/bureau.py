"""A bureau: a customer with euros, a merchant with dollars, and the rate between them."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from gateway import ConfirmPayment, OpenAccount, Pay, PaymentResult, RefundPayment, RequestPayment
from gateway.adapters.memory import MemoryDatabase
from gateway.application.engine.command import Command
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.ports.storage import Storage
from gateway.application.quotes import Quotes
from gateway.contracts.records import EUR, USD, a_rate, user_id
from gateway.domain.account import Account, AccountKey, AccountKind, system_account
from gateway.domain.errors import (
    Refusal,
)
from gateway.domain.money import Money
from gateway.domain.payment import Payment, QuoteId
from gateway.domain.payment_terms import PaymentOrder, PaymentRequest
from gateway.domain.quote import Quote
from gateway.domain.rate import CurrencyPair, rate_of
from gateway.domain.transfer import Transfer
from support.builders import (
    CUSTOMER,
    MERCHANT,
    StandingClock,
    Watch,
    a_batch,
    deposit,
    opened,
    submit,
    usd,
)

EUROS = AccountKey(CUSTOMER, EUR, AccountKind.CUSTOMER)
DOLLARS = AccountKey(MERCHANT, USD, AccountKind.MERCHANT)
PAIR = CurrencyPair(EUR, USD)
RATE = a_rate(EUR, USD, rate=rate_of("1.0842"), spread_basis_points=50)
STRANGER = user_id(9)


@dataclass(frozen=True)
class Bureau:
    """A customer with 100 euros, a merchant who is paid in dollars, and the exchange between them."""

    executor: CommandExecutor
    exchange: Quotes
    storage: Storage
    database: MemoryDatabase
    watch: Watch
    clock: StandingClock

    def account(self, key: AccountKey) -> Account:
        return self.database.accounts[self.database.account_ids[key]]

    def posted(self, *keys: AccountKey) -> list[int]:
        """What these accounts hold."""
        return [self.account(key).posted for key in keys]

    def gateways_own(self) -> list[int]:
        """What the exchange has in euros and in dollars, and the fees in both."""
        return self.posted(
            *(system_account(kind, currency) for kind in (AccountKind.EXCHANGE, AccountKind.FEES) for currency in PAIR)
        )

    async def quote(self, amount: Money | None = None, *, customer: int = 1) -> Quote:
        """A quote for $10.50, unless told otherwise."""
        return await self.exchange.quote(user_id(customer), PAIR, amount or usd(1_050))

    async def pay(self, quote: Quote, **terms: object) -> PaymentResult:
        return await self.executor.execute(payment_with(quote.id, **{"amount": quote.target, **terms}))

    async def refund(self, payment: Payment, amount_minor: int | None = None, *, refund_fee: bool = False) -> None:
        await self.executor.execute(
            RefundPayment(payment_id=payment.id, merchant_id=MERCHANT, amount_minor=amount_minor, refund_fee=refund_fee)
        )

    async def request(self, **terms: object) -> Payment:
        """What the merchant asks for: $10.50 of whoever confirms it."""
        request = PaymentRequest(merchant_id=MERCHANT, amount=usd(1_050), metadata={})
        return await self.executor.execute(RequestPayment(request=replace(request, **terms)))  # type: ignore[arg-type]  # Tests name fields.

    async def confirm(self, payment: Payment, quote: Quote, *, customer: int = 1) -> PaymentResult:
        command = ConfirmPayment(payment_id=payment.id, customer_id=user_id(customer), quote_id=quote.id)
        return await self.executor.execute(command)

    def quote_now(self, quote: Quote) -> Quote:
        """As it is kept."""
        return self.database.quotes[quote.id]


def payment_with(quote_id: QuoteId | None, **terms: object) -> Pay:
    order = PaymentOrder(customer_id=CUSTOMER, merchant_id=MERCHANT, amount=usd(1_050), metadata={}, quote_id=quote_id)
    return Pay(order=replace(order, **terms))  # type: ignore[arg-type]  # Tests name fields.


async def opened_in_euros(storage: Storage) -> None:
    """The usual opening, and 100 euros for the customer."""
    await opened(storage)
    batch = a_batch(storage)
    [answer] = await batch.run([submit(OpenAccount(key=EUROS), "euros")])
    await batch.run([submit(deposit(Money(10_000, EUR), answer.outcome.id), "deposit")])  # type: ignore[union-attr]  # It has one.


async def refused(bureau: Bureau, command: Command[Any], refusal: type[Refusal]) -> Refusal:
    """The refusal of a command, which changes nothing but perhaps its answer."""
    before = (dict(bureau.database.accounts), dict(bureau.database.quotes))
    with pytest.raises(refusal) as raised:
        await bureau.executor.execute(command)
    assert (bureau.database.accounts, bureau.database.quotes) == before
    return raised.value


def moved(transfer: Transfer) -> tuple[int, str]:
    return transfer.amount_minor, transfer.currency
