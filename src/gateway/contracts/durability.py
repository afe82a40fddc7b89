"""What every storage promises that outlives its process, or that several processes may share."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

from gateway.application.commands.deposit import MakeDeposit
from gateway.application.commands.pay import Pay
from gateway.application.engine.batch import Batch
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, StorageUnavailable, Wanted
from gateway.contracts.history import (
    OpenStorage,
    consequences_of,
    opening,
    play,
    registration,
)
from gateway.contracts.records import (
    NOW,
    USD,
    SequentialIdentifiers,
    a_rate,
    account_id,
    an_account,
    an_answer,
    commit,
    load,
    user_id,
)
from gateway.domain.errors import EmailTaken, Refusal, UserExists
from gateway.domain.money import Money
from gateway.domain.payment_terms import PaymentOrder
from gateway.domain.user import Role

BATCH_SIZE = 3
PAYMENTS = 12
TIMEOUT_SECONDS = 60
"""Longer than any storage may take."""


class DurabilityContract:
    """For storages that outlive their process. Subclass it, and give a fixture `reopen_storage`.

    Each call opens, as `async with`, the storage that the calls before it in the same test have left; the first call
    opens an empty one.
    """

    async def test_what_was_committed_is_there_after_it_was_opened_again(self, reopen_storage: OpenStorage) -> None:
        """Every kind of record, the feed with its positions, rates and cursors."""
        async with reopen_storage() as storage:
            await play(storage, opening(), batch_size=BATCH_SIZE)
            await storage.rates.put(a_rate())
            assert await storage.event_cursors.move("reader", expected=None, to=2)
            before, events = await consequences_of(storage, ()), await storage.events.read(after=0, limit=1_000)
        async with reopen_storage() as storage:
            assert await consequences_of(storage, ()) == before
            assert list(await storage.events.read(after=0, limit=1_000)) == list(events)
            assert await storage.rates.rates() == [a_rate()]
            assert await storage.event_cursors.position("reader") == 2

    async def test_positions_of_events_go_on_after_it_was_opened_again(self, reopen_storage: OpenStorage) -> None:
        """No position is given twice, and a reader that goes on misses nothing."""
        async with reopen_storage() as storage:
            await play(storage, opening(), batch_size=BATCH_SIZE)
            newest = await storage.events.newest()
        async with reopen_storage() as storage:
            pay = await pay_from(storage, first_number=100)
            await pay.execute(MakeDeposit(account_id=account_id(1), amount=Money(1, USD), owner_id=user_id(1)))
            [event] = await storage.events.read(after=newest, limit=10)
            assert event.position > newest

    async def test_an_answer_is_replayed_after_it_was_opened_again(self, reopen_storage: OpenStorage) -> None:
        """The money moves once."""
        deposit = MakeDeposit(account_id=account_id(1), amount=Money(7, USD), owner_id=user_id(1))
        async with reopen_storage() as storage:
            await play(storage, opening(), batch_size=BATCH_SIZE)
            first = await (await pay_from(storage, first_number=100)).execute(deposit, idempotency_key="key-1")
            before = await consequences_of(storage, ())
        async with reopen_storage() as storage:
            again = await (await pay_from(storage, first_number=200)).execute(deposit, idempotency_key="key-1")
            assert again == first
            assert await consequences_of(storage, ()) == before

    async def test_what_was_not_committed_is_forgotten(self, reopen_storage: OpenStorage) -> None:
        """Also when the process ends within a unit of work."""
        async with reopen_storage() as storage:
            await commit(storage, Changes(accounts_new=[an_account(1)]))
            async with storage.unit_of_work() as work:
                await work.load(Wanted(account_ids=[account_id(1)]))
        async with reopen_storage() as storage:
            found = await load(storage, Wanted(account_ids=[account_id(1), account_id(2)]))
            assert [account.id for account in found.accounts] == [account_id(1)]
            await commit(storage, Changes(accounts_new=[an_account(2)], answers_new=[an_answer("key-1")]))


class SharedStorageContract:
    """For storages that several processes share. Subclass it, and give a fixture `reopen_storage`, as for durability.

    Two of them are open at once.
    """

    async def test_two_of_them_see_each_others_commits(self, reopen_storage: OpenStorage) -> None:
        """At once, whatever either of them caches."""
        async with reopen_storage() as one, reopen_storage() as another:
            await play(one, opening(), batch_size=BATCH_SIZE)
            for number, storage in enumerate((another, one, another), 1):
                executor = await pay_from(storage, first_number=100 * number)
                await executor.execute(MakeDeposit(account_id=account_id(1), amount=Money(1, USD), owner_id=user_id(1)))
            balances = [await storage.reader.account(account_id(1)) for storage in (one, another)]
            assert balances[0] == balances[1]

    async def test_payments_through_both_at_once_lose_nothing(self, reopen_storage: OpenStorage) -> None:
        """Each payment is made once, also where both are asked for it with the same key."""
        order = PaymentOrder(customer_id=user_id(1), merchant_id=user_id(2), amount=Money(1, USD), metadata={})
        async with AsyncExitStack() as stack:
            storages = [await stack.enter_async_context(reopen_storage()) for _ in range(2)]
            await play(storages[0], opening(), batch_size=BATCH_SIZE)
            before = await storages[0].reader.account(account_id(1))
            executors = [await pay_from(each, first_number=1_000 * n) for n, each in enumerate(storages, 1)]

            async def pay(executor: CommandExecutor, number: int) -> None:
                for _ in range(PAYMENTS):
                    try:
                        await executor.execute(Pay(order=order), idempotency_key=f"key-{number}")
                    except (StorageUnavailable, Refusal):
                        await asyncio.sleep(0.01)  # Another is deciding it: the same key is safe.
                    else:
                        return

            async with asyncio.timeout(TIMEOUT_SECONDS):
                calls = [pay(executor, number) for number in range(PAYMENTS) for executor in executors]
                await asyncio.gather(*calls)
            after = await storages[1].reader.account(account_id(1))
            assert before is not None
            assert after is not None
            assert before.available - after.available == PAYMENTS, "a payment was lost, or made twice"
            assert (await consequences_of(storages[1], ())).findings == []

    async def test_an_id_and_an_address_are_taken_for_both(self, reopen_storage: OpenStorage) -> None:
        """Of two users with the same id, or the same address, one registers."""
        async with reopen_storage() as one, reopen_storage() as another:
            executors = [await pay_from(each, first_number=100 * n) for n, each in enumerate((one, another), 1)]
            command = registration(4, role=Role.CUSTOMER, currency=USD)
            outcomes = await asyncio.gather(
                *(executor.execute(command) for executor in executors), return_exceptions=True
            )
            assert sorted(isinstance(outcome, EmailTaken | UserExists) for outcome in outcomes) == [False, True]


async def pay_from(storage: Storage, *, first_number: int) -> CommandExecutor:
    """An executor on a storage, whose records have ids from a number on."""
    identifiers = SequentialIdentifiers()
    identifiers.go_back(dict.fromkeys(("usr", "acc", "pay", "ref", "txn", "evt", "dep", "key"), first_number))
    now = NOW + timedelta(days=1)
    batch = Batch(unit_of_work=storage.unit_of_work, clock=lambda: now, identifiers=identifiers)
    return CommandExecutor(OneByOne(retrying(batch.run, RetryLimits())), identifiers)
