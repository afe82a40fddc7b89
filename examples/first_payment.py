"""The example of README.md."""

import asyncio

from gateway import MakeDeposit, Money, Pay, PaymentOrder, open_gateway


async def main() -> None:
    """Pay once, however often this runs."""
    async with open_gateway("sqlite:///shop.db") as gateway:
        ada = await gateway.accounts.open_customer("user-17", "USD")  # Your own id: found, or opened now.
        shop = await gateway.accounts.open_merchant("bookshop", "USD")
        credit = MakeDeposit(account_id=ada.id, amount=Money(100_000, "USD"), owner_id=None)
        await gateway.execute(credit, idempotency_key="receipt-1", owner_id=ada.owner_id)
        order = PaymentOrder(customer_id=ada.owner_id, merchant_id=shop.owner_id, amount=Money(1_050, "USD"))
        paid = await gateway.execute(Pay(order=order), idempotency_key="order-1001", owner_id=ada.owner_id)
        print(paid.payment.status)


asyncio.run(main())
