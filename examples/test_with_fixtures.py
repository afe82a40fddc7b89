"""Tests of a program with the fixtures of `gateway.testing`: `pytest test_with_fixtures.py`.

`pytest --gateway-storage=sqlite` runs them on a new file each, `--gateway-storage=postgresql://…` on a database.
"""

from datetime import timedelta

import pytest

from gateway import CapturePayment, Gateway, Money, Pay, PaymentOrder, StorageUnavailable
from gateway.testing import EmittedEvents, Factory, MovableClock, StorageFaults, assert_sound

pytestmark = pytest.mark.asyncio


async def test_a_hold_expires_after_its_time(
    gateway: Gateway, gateway_factory: Factory, gateway_clock: MovableClock, gateway_events: EmittedEvents
) -> None:
    """The customer has the money back, and the merchant is told."""
    customer = await gateway_factory.customer()
    await gateway_factory.held_payment(customer=customer)
    [account] = await gateway.queries.accounts_of(customer.owner_id)
    assert (account.available, account.held) == (4_000, 1_000)

    await gateway_clock.wait(timedelta(days=8))

    [account] = await gateway.queries.accounts_of(customer.owner_id)
    assert (account.available, account.held) == (5_000, 0)
    assert (await gateway_events.types())[-1] == "payment.expired"
    await assert_sound(gateway)


async def test_an_order_is_paid_once_although_the_answer_was_lost(
    gateway: Gateway, gateway_factory: Factory, gateway_faults: StorageFaults
) -> None:
    """Whether the commit was written or not, the same key gives the payment.

    The keys are the customer's, who is new: tests may share a database, where a key is used once by each owner.
    """
    customer, merchant = await gateway_factory.customer(), await gateway_factory.merchant()
    order = PaymentOrder(customer_id=customer.owner_id, merchant_id=merchant.owner_id, amount=Money(1_000, "EUR"))
    for number, written in enumerate((True, False)):
        gateway_faults.lose_commit(written=written)
        with pytest.raises(StorageUnavailable):
            await gateway.execute(Pay(order=order), idempotency_key=f"order-{number}", owner_id=customer.owner_id)
        await gateway.execute(Pay(order=order), idempotency_key=f"order-{number}", owner_id=customer.owner_id)

    [account] = await gateway.queries.accounts_of(customer.owner_id)
    assert account.available == customer.available - 2 * order.amount.amount_minor
    await assert_sound(gateway)


async def test_nothing_is_captured_while_the_storage_is_away(
    gateway: Gateway, gateway_factory: Factory, gateway_faults: StorageFaults
) -> None:
    """The merchant may try again."""
    held = await gateway_factory.held_payment()
    capture = CapturePayment(payment_id=held.id, merchant_id=held.merchant_id)
    with gateway_faults.away(), pytest.raises(StorageUnavailable):
        await gateway.execute(capture)
    assert (await gateway.execute(capture)).payment.status == "captured"
