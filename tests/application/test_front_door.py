"""The executor as a program uses it: results come back, refusals are raised, keys make asking twice safe."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from application.conftest import OpenExecutor
from gateway import FreezeAccount, OpenAccount, UnfreezeAccount
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.command import Command
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.outcome_codec import decode, encode, refusals
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import TryAgain
from gateway.contracts.records import EUR, user_id
from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.errors import AccountFrozen, IdempotencyKeyReused, InsufficientFunds, Refusal
from gateway.domain.user import Role
from support.builders import (
    CUSTOMER,
    CUSTOMER_ACCOUNT,
    MERCHANT,
    Fault,
    Watch,
    a_batch,
    balances,
    deposit,
    eur,
    opened,
    pay,
    register,
    usd,
    watched,
)


@pytest.fixture
async def executor(storage: Storage, open_executor: OpenExecutor) -> AsyncIterator[CommandExecutor]:
    """An executor before a customer with a dollar, and a merchant."""
    await opened(storage)
    async with open_executor(a_batch(storage).run) as executor:
        yield CommandExecutor(executor, time_ordered_id)


async def test_a_result_comes_back(executor: CommandExecutor, storage: Storage) -> None:
    paid = await executor.execute(pay(usd(40)))
    assert await storage.reader.payment(paid.payment.id) == paid.payment
    assert await storage.reader.transaction(paid.transaction.id) == paid.transaction


async def test_a_refusal_is_raised_with_its_facts(executor: CommandExecutor, storage: Storage) -> None:
    with pytest.raises(InsufficientFunds) as raised:
        await executor.execute(pay(usd(101)))
    payment = await storage.reader.payment(raised.value.facts["payment_id"])
    assert payment is not None
    assert payment.failure_code == "insufficient_funds"


async def test_without_a_key_every_call_is_a_request_of_its_own(executor: CommandExecutor, storage: Storage) -> None:
    first, second = await executor.execute(pay(usd(40))), await executor.execute(pay(usd(40)))
    assert first.payment.id != second.payment.id
    assert await balances(storage) == (20, 80)


async def test_with_a_key_a_request_is_decided_once(executor: CommandExecutor, storage: Storage) -> None:
    asked = [executor.execute(pay(usd(40)), idempotency_key="key", owner_id=CUSTOMER) for _ in range(8)]
    answers = await asyncio.gather(*asked)
    assert all(answer == answers[0] for answer in answers)
    assert await balances(storage) == (60, 40)


@pytest.mark.parametrize(
    "command",
    [
        register(3),
        register(4, Role.OPERATOR),
        OpenAccount(key=AccountKey(CUSTOMER, EUR, AccountKind.CUSTOMER)),
        deposit(usd(7)),
        pay(usd(7), reference="order-1 ☕"),
        FreezeAccount(account_id=CUSTOMER_ACCOUNT),
        UnfreezeAccount(account_id=CUSTOMER_ACCOUNT),
    ],
    ids=lambda command: type(command).__name__,
)
async def test_every_result_is_replayed_as_it_was(executor: CommandExecutor, command: Command[Any]) -> None:
    first = await executor.execute(command, idempotency_key="key", owner_id=CUSTOMER)
    again = await executor.execute(command, idempotency_key="key", owner_id=CUSTOMER)
    assert again == first
    assert type(again) is type(first) is command.result_type


async def test_a_refusal_is_replayed_as_it_was(executor: CommandExecutor) -> None:
    raised: list[Refusal] = []
    for _ in range(2):
        with pytest.raises(InsufficientFunds) as refused:
            await executor.execute(pay(usd(101)), idempotency_key="key", owner_id=CUSTOMER)
        raised.append(refused.value)
    assert (raised[0].detail, raised[0].facts) == (raised[1].detail, raised[1].facts)


async def test_a_refusal_that_can_be_lifted_is_not_replayed(executor: CommandExecutor) -> None:
    await executor.execute(FreezeAccount(account_id=CUSTOMER_ACCOUNT))
    with pytest.raises(AccountFrozen):
        await executor.execute(pay(usd(1)), idempotency_key="key", owner_id=CUSTOMER)
    await executor.execute(UnfreezeAccount(account_id=CUSTOMER_ACCOUNT))
    await executor.execute(pay(usd(1)), idempotency_key="key", owner_id=CUSTOMER)


@pytest.mark.parametrize("other", [pay(usd(41)), pay(usd(40), reference="order-1"), deposit(usd(40))])
async def test_a_key_serves_one_request_only(executor: CommandExecutor, storage: Storage, other: Command[Any]) -> None:
    await executor.execute(pay(usd(40)), idempotency_key="key", owner_id=CUSTOMER)
    with pytest.raises(IdempotencyKeyReused):
        await executor.execute(other, idempotency_key="key", owner_id=CUSTOMER)
    assert await balances(storage) == (60, 40)


async def test_commands_with_the_same_fields_are_not_the_same_request(executor: CommandExecutor) -> None:
    await executor.execute(FreezeAccount(account_id=CUSTOMER_ACCOUNT), idempotency_key="key")
    with pytest.raises(IdempotencyKeyReused):
        await executor.execute(UnfreezeAccount(account_id=CUSTOMER_ACCOUNT), idempotency_key="key")


async def test_two_owners_may_choose_the_same_key(executor: CommandExecutor, storage: Storage) -> None:
    for owner_id in (CUSTOMER, MERCHANT, user_id(99)):
        await executor.execute(pay(usd(10)), idempotency_key="key", owner_id=owner_id)
    assert await balances(storage) == (70, 30)


async def test_a_commit_whose_answer_was_lost_moves_money_once_without_a_key(
    storage: Storage, open_executor: OpenExecutor
) -> None:
    await opened(storage)
    watch = Watch()
    watch.spoil([Fault(after=TryAgain())])
    async with open_executor(retrying(a_batch(watched(storage, watch)).run, RetryLimits())) as executor:
        paid = await CommandExecutor(executor, time_ordered_id).execute(pay(usd(40)))
    assert await storage.reader.payment(paid.payment.id) == paid.payment
    assert await balances(storage) == (60, 40)


def test_every_refusal_survives_its_encoding() -> None:
    for code, kind in refusals().items():
        refusal = kind("No.", remaining=7, currency="EUR")
        decoded = decode(encode(refusal).body, object)
        assert type(decoded) is kind
        assert (decoded.code, decoded.detail, decoded.facts) == (code, "No.", {"remaining": 7, "currency": "EUR"})


def test_money_survives_its_encoding() -> None:
    assert decode(encode(eur(999_999_999_999)).body, type(eur(1))) == eur(999_999_999_999)
