"""A test of another service, on a complete gateway in memory: `pytest examples/swap_adapters_in_tests.py`."""

import asyncio
from dataclasses import dataclass
from secrets import token_urlsafe

from gateway import (
    Gateway,
    MakeDeposit,
    Money,
    Pay,
    PaymentOrder,
    Refusal,
    Role,
    UserId,
    currency_code,
    in_memory_gateway,
)

PRICE = Money(1_999, currency_code("EUR"))


@dataclass(frozen=True)
class Bookshop:
    """The service under test: it knows `Gateway`, not its adapters."""

    gateway: Gateway
    merchant_id: UserId

    async def sell(self, order_number: str, customer_id: UserId) -> str:
        """Take the price of a book, once per order, however often the order is sent."""
        order = PaymentOrder(customer_id=customer_id, merchant_id=self.merchant_id, amount=PRICE, metadata={})
        try:
            await self.gateway.execute(Pay(order=order), idempotency_key=order_number, owner_id=customer_id)
        except Refusal as refusal:
            return f"sorry: {refusal.code}"
        return "sold"


async def open_bookshop(gateway: Gateway, amount: Money | None) -> tuple[Bookshop, UserId]:
    """A bookshop, and a customer with that balance."""
    shop = await gateway.access.register(
        email="shop@example.com", password=token_urlsafe(), role=Role.MERCHANT, currency="EUR"
    )
    ada = await gateway.access.register(
        email="ada@example.com", password=token_urlsafe(), role=Role.CUSTOMER, currency="EUR"
    )
    if amount is not None:
        await gateway.execute(MakeDeposit(account_id=ada.accounts[0].id, amount=amount, owner_id=None))
    return Bookshop(gateway, shop.user.id), ada.user.id


def test_an_order_that_is_sent_twice_is_paid_once() -> None:
    """Also when both are concurrent."""

    async def story() -> None:
        async with in_memory_gateway() as gateway:
            bookshop, ada = await open_bookshop(gateway, Money(5_000, PRICE.currency))

            first, second = await asyncio.gather(bookshop.sell("order-1", ada), bookshop.sell("order-1", ada))

            assert first == second == "sold"
            [account] = await gateway.queries.accounts_of(ada)
            assert account.available == 5_000 - PRICE.amount_minor

    asyncio.run(story())


def test_a_customer_without_money_gets_no_book() -> None:
    """The shop returns the gateway's refusal."""

    async def story() -> None:
        async with in_memory_gateway() as gateway:
            bookshop, ada = await open_bookshop(gateway, None)

            assert await bookshop.sell("order-1", ada) == "sorry: insufficient_funds"

    asyncio.run(story())
