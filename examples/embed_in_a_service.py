"""The gateway inside another asyncio program: no HTTP, no second process, one folder with an SQLite file in it."""

import asyncio
from secrets import token_urlsafe
from tempfile import TemporaryDirectory

from gateway import MakeDeposit, Money, Pay, PaymentOrder, Refusal, Role, Settings, currency_code, open_gateway

USD = currency_code("USD")


async def main(folder: str) -> None:
    """Pay once, repeat the request, and pay too much."""
    # On Postgres: open_gateway("postgresql://user:password@host/name").
    async with open_gateway(Settings(data_dir=folder)) as gateway:
        shop = await gateway.access.register(email="shop@example.com", password=token_urlsafe(), role=Role.MERCHANT)
        ada = await gateway.access.register(email="ada@example.com", password=token_urlsafe(), role=Role.CUSTOMER)
        [account] = ada.accounts
        await gateway.execute(MakeDeposit(account_id=account.id, amount=Money(10_000, USD), owner_id=None))

        order = PaymentOrder(customer_id=ada.user.id, merchant_id=shop.user.id, amount=Money(1_050, USD), metadata={})
        paid = await gateway.execute(Pay(order=order), idempotency_key="order-1", owner_id=ada.user.id)
        print(f"{paid.payment.amount} {paid.payment.status}")

        # The same key again, as after a lost response: the same result, and no money moves.
        assert await gateway.execute(Pay(order=order), idempotency_key="order-1", owner_id=ada.user.id) == paid

        too_much = PaymentOrder(
            customer_id=ada.user.id, merchant_id=shop.user.id, amount=Money(50_000, USD), metadata={}
        )
        try:
            await gateway.execute(Pay(order=too_much))
        except Refusal as refusal:
            print(f"{too_much.amount} refused: {refusal.code}")

        [account] = await gateway.queries.accounts_of(ada.user.id)
        print(f"{account.available} minor units are left")


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:  # A real service uses a permanent folder.
        asyncio.run(main(temporary))
