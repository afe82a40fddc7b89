"""Payouts, and reversals of deposits and payouts. The books balance after each test."""

import pytest

from application.shop import Shop
from gateway import MakePayout, ReverseTransaction
from gateway.contracts.records import account_id, transaction_id
from gateway.domain.errors import (
    AccountNotFound,
    AlreadyReversed,
    CurrencyMismatch,
    InsufficientFunds,
    Refusal,
    TransactionNotFound,
    TransactionNotReversible,
    UseRefund,
)
from gateway.domain.event_type import EventType
from gateway.domain.transaction import TransactionId, TransactionType
from gateway.domain.user import SYSTEM
from support.builders import (
    CUSTOMER,
    CUSTOMER_ACCOUNT,
    MERCHANT,
    balances,
    deposit,
    eur,
    pay,
    usd,
)


async def test_a_payout_leaves_for_the_world_outside(shop: Shop) -> None:
    command = MakePayout(account_id=CUSTOMER_ACCOUNT, amount=usd(30), owner_id=CUSTOMER, reference="rent")
    assert await shop.ask(command) is EventType.PAYOUT_SUCCEEDED
    assert await balances(shop.storage) == (70, 0)
    refusals: list[tuple[MakePayout, type[Refusal]]] = [
        (MakePayout(account_id=CUSTOMER_ACCOUNT, amount=usd(71), owner_id=CUSTOMER), InsufficientFunds),
        (MakePayout(account_id=CUSTOMER_ACCOUNT, amount=usd(1), owner_id=MERCHANT), AccountNotFound),
        (MakePayout(account_id=CUSTOMER_ACCOUNT, amount=eur(1), owner_id=CUSTOMER), CurrencyMismatch),
    ]
    for refused, refusal in refusals:
        with pytest.raises(refusal):
            await shop.executor.execute(refused)


async def test_nobody_pays_out_what_is_the_gateways(shop: Shop) -> None:
    """Its own accounts are paid from by rules alone: such a transaction would be between no parties."""
    fees = account_id(3)
    with pytest.raises(AccountNotFound):
        await shop.executor.execute(MakePayout(account_id=fees, amount=usd(1), owner_id=SYSTEM))


async def test_held_money_is_not_paid_out(shop: Shop) -> None:
    await shop.hold(80)
    with pytest.raises(InsufficientFunds):
        await shop.executor.execute(MakePayout(account_id=CUSTOMER_ACCOUNT, amount=usd(21), owner_id=CUSTOMER))


async def test_a_deposit_is_reversed_once_and_both_tell(shop: Shop) -> None:
    made = await shop.executor.execute(deposit(usd(23)))
    reverse = ReverseTransaction(transaction_id=made.transaction_id, reason="a mistake")
    assert await shop.ask(reverse) is EventType.TRANSACTION_REVERSED
    assert await balances(shop.storage) == (100, 0)
    with pytest.raises(AlreadyReversed) as refused:
        await shop.executor.execute(reverse)
    original = await shop.storage.reader.transaction(made.transaction_id)
    assert original is not None
    assert refused.value.facts == {"reversed_by": original.reversed_by}
    assert original.reversed_by is not None
    reversal = await shop.storage.reader.transaction(original.reversed_by)
    assert reversal is not None
    assert (reversal.type, reversal.reverses, reversal.description) == (
        TransactionType.REVERSAL,
        original.id,
        "a mistake",
    )
    with pytest.raises(TransactionNotReversible):
        await shop.executor.execute(ReverseTransaction(transaction_id=reversal.id, reason="again"))


async def test_a_payout_comes_back(shop: Shop) -> None:
    made = await shop.executor.execute(MakePayout(account_id=CUSTOMER_ACCOUNT, amount=usd(30), owner_id=CUSTOMER))
    await shop.executor.execute(ReverseTransaction(transaction_id=made.transaction_id, reason="returned"))
    assert await balances(shop.storage) == (100, 0)


async def test_a_deposit_that_was_spent_cannot_be_reversed(shop: Shop) -> None:
    made = await shop.executor.execute(deposit(usd(23)))
    await shop.executor.execute(pay(usd(101)))
    with pytest.raises(InsufficientFunds):
        await shop.executor.execute(ReverseTransaction(transaction_id=made.transaction_id, reason="a mistake"))


async def test_a_payments_transactions_are_not_reversed(shop: Shop) -> None:
    paid = await shop.executor.execute(pay(usd(40)))
    with pytest.raises(UseRefund):
        await shop.executor.execute(ReverseTransaction(transaction_id=paid.transaction.id, reason="a mistake"))
    with pytest.raises(TransactionNotFound):
        await shop.executor.execute(ReverseTransaction(transaction_id=TransactionId(transaction_id(99)), reason="none"))
