"""Customers, merchants and payments for tests, each made in one call."""

from dataclasses import dataclass
from uuid import uuid4

from gateway.application.commands.deposit import MakeDeposit
from gateway.application.commands.pay import Pay
from gateway.application.gateway import Gateway
from gateway.domain.account import Account
from gateway.domain.checks import check_type
from gateway.domain.fees import FeeSchedule
from gateway.domain.money import Money
from gateway.domain.payment import CaptureMethod, Payment
from gateway.domain.payment_terms import PaymentOrder

BALANCE = Money(5_000, "EUR")
FEES = FeeSchedule(basis_points=150, fixed_minor=25)
AMOUNT = Money(1_000, "EUR")


@dataclass(frozen=True, slots=True)
class Factory:
    """Makes records through the gateway, as a program would. Ids are new each time, so that tests may share a database.

    Every method refuses as the gateway does.
    """

    gateway: Gateway

    async def customer(self, balance: Money = BALANCE, *, customer_id: str | None = None) -> Account:
        """A customer's account with money in it: 50 EUR."""
        check_type("balance", balance, Money)
        account = await self.gateway.accounts.open_customer(customer_id or _new_id("customer"), balance.currency)
        await self.gateway.execute(MakeDeposit(account_id=account.id, amount=balance, owner_id=None))
        return await self._now(account)

    async def merchant(
        self, currency: str = "EUR", *, fees: FeeSchedule = FEES, merchant_id: str | None = None
    ) -> Account:
        """A merchant's account, with fees of 1.5 % and 25 cents."""
        return await self.gateway.accounts.open_merchant(merchant_id or _new_id("merchant"), currency, fees=fees)

    async def payment(
        self, amount: Money = AMOUNT, *, customer: Account | None = None, merchant: Account | None = None
    ) -> Payment:
        """A captured payment of 10 EUR, of a new customer to a new merchant unless they are given."""
        return await self._paid(amount, customer, merchant, CaptureMethod.AUTOMATIC, None)

    async def held_payment(
        self,
        amount: Money = AMOUNT,
        *,
        customer: Account | None = None,
        merchant: Account | None = None,
        expires_in_seconds: int | None = None,
    ) -> Payment:
        """A payment of 10 EUR that is held, and not captured. Without `expires_in_seconds` it expires after a week."""
        return await self._paid(amount, customer, merchant, CaptureMethod.MANUAL, expires_in_seconds)

    async def _paid(
        self,
        amount: Money,
        customer: Account | None,
        merchant: Account | None,
        capture: CaptureMethod,
        expires_in_seconds: int | None,
    ) -> Payment:
        check_type("amount", amount, Money)
        payer = customer or await self.customer(Money(max(amount.amount_minor, BALANCE.amount_minor), amount.currency))
        payee = merchant or await self.merchant(amount.currency)
        order = PaymentOrder(
            customer_id=payer.owner_id,
            merchant_id=payee.owner_id,
            amount=amount,
            capture=capture,
            expires_in_seconds=expires_in_seconds,
        )
        return (await self.gateway.execute(Pay(order=order), owner_id=payer.owner_id)).payment

    async def _now(self, account: Account) -> Account:
        accounts = await self.gateway.queries.accounts_of(account.owner_id)
        return next(each for each in accounts if each.id == account.id)


def _new_id(kind: str) -> str:
    return f"{kind}-{uuid4().hex}"
