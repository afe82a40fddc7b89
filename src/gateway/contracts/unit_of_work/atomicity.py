"""A unit of work is written whole or not at all."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import (
    Changes,
    KeyTaken,
    TryAgain,
    Wanted,
)
from gateway.contracts.records import (
    a_payment,
    a_transaction,
    a_user,
    account_id,
    an_account,
    an_answer,
    an_event,
    commit,
    load,
    payment_id,
    user_id,
)
from gateway.contracts.unit_of_work.support import TIMEOUT_SECONDS, all_transactions, by_id, everything
from gateway.domain.event_type import EventType
from gateway.domain.payment import PaymentReference
from gateway.domain.payment_status import PaymentStatus


class AtomicityContract:
    """A part of `UnitOfWorkContract`."""

    async def test_leaving_without_commit_forgets(self, storage: Storage) -> None:
        """Also what was locked: the next one does not wait."""
        await commit(storage, Changes(accounts_new=[an_account()]))
        async with storage.unit_of_work() as work:
            await work.load(Wanted(account_ids=[account_id(1)]))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            assert (await load(storage, Wanted(account_ids=[account_id(1)]))).accounts == (an_account(),)

    async def test_an_error_inside_forgets_and_comes_out(self, storage: Storage) -> None:
        """And leaves the storage ready for the next one."""
        await commit(storage, Changes(accounts_new=[an_account()]))

        async def break_inside() -> None:
            async with storage.unit_of_work() as work:
                await work.load(Wanted(account_ids=[account_id(1)]))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await break_inside()
        changed = an_account().changed(credits_posted=1)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await commit(storage, Changes(accounts_changed=[changed]), Wanted(account_ids=[changed.id]))
        assert await storage.reader.account(changed.id) == changed

    async def test_a_conflict_writes_nothing(self, storage: Storage) -> None:
        """Neither the account that another one has changed, nor anything beside it."""
        await commit(storage, Changes(accounts_new=[an_account(1), an_account(2)]))
        first_is_done = asyncio.Event()
        written = 0

        async def change_both(number: int) -> None:
            nonlocal written
            wanted = Wanted(account_ids=[account_id(1), account_id(2)])
            async with storage.unit_of_work() as work:
                found = by_id(await work.load(wanted))
                if number == 1:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(0.2):  # Where units of work wait for each other, it never comes.
                            await first_is_done.wait()
                changed = [account.changed(credits_posted=1) for account in found.values()]
                await work.commit(Changes(accounts_changed=changed, answers_new=[an_answer(f"key-{number}")]))
                written += 1
            first_is_done.set()

        slow = asyncio.create_task(change_both(1))
        await asyncio.sleep(0.05)
        outcomes = await asyncio.gather(slow, change_both(2), return_exceptions=True)
        assert all(outcome is None or isinstance(outcome, TryAgain) for outcome in outcomes), outcomes
        assert written == outcomes.count(None) >= 1
        for number in (1, 2):
            assert await storage.reader.account(account_id(number)) == an_account(
                number, credits_posted=written, version=1 + written
            )
        kept = (await load(storage, Wanted(answers=[an_answer("key-1").key, an_answer("key-2").key]))).answers
        assert len(kept) == written

    async def test_a_reference_that_a_payment_gives_up_is_free_for_another(self, storage: Storage) -> None:
        """A payment that ended without money keeps the name, and holds it no longer."""
        held = a_payment(1, reference="order-1")
        await commit(storage, Changes(payments_new=[held]))
        given_up = replace(held, status=PaymentStatus.CANCELED, version=2, reference_held_by=None)
        await commit(storage, Changes(payments_changed=[given_up]), Wanted(payments=[held.id]))
        reference = PaymentReference(held.merchant_id, "order-1", user_id(1))
        assert (await load(storage, Wanted(references=[reference]))).references_taken == ()
        await commit(storage, Changes(payments_new=[a_payment(2, reference="order-1")]))
        found = await load(storage, Wanted(payments=[held.id], references=[reference]))
        assert found.payments == (given_up,)
        assert found.references_taken == (reference,)

    @pytest.mark.parametrize("taken", ["answer", "email", "user", "account", "reference"])
    async def test_nothing_of_a_commit_is_written_when_a_unique_key_is_taken(
        self, storage: Storage, taken: str
    ) -> None:
        """It is refused with `KeyTaken`, and no record of any kind is left of it."""
        frozen = an_account(1).frozen()
        first = Changes(
            users_new=[a_user(1)],
            accounts_new=[an_account(1)],
            payments_new=[a_payment(1, reference="order-1")],
            transactions_new=[a_transaction(1)],
            events_new=[
                an_event(1, an_account(1), EventType.ACCOUNT_OPENED),
                an_event(2, a_payment(1), EventType.PAYMENT_CAPTURED),
            ],
            answers_new=[an_answer("key-1")],
        )
        await commit(storage, first)
        before = await everything(storage)

        second = Changes(
            users_new=[
                a_user(
                    1 if taken == "user" else 2,
                    email="user1@example.com" if taken == "email" else "user2@example.com",
                )
            ],
            accounts_new=[an_account(2, owner_id=user_id(1 if taken == "account" else 2))],
            accounts_changed=[frozen],
            payments_new=[a_payment(2, reference="order-1" if taken == "reference" else "order-2")],
            payments_changed=[a_payment(1, reference="order-1", version=2)],
            transactions_new=[a_transaction(2)],
            events_new=[
                an_event(3, frozen, EventType.ACCOUNT_FROZEN),
                an_event(4, a_payment(2), EventType.PAYMENT_CAPTURED),
            ],
            answers_new=[an_answer("key-3"), an_answer("key-1" if taken == "answer" else "key-2")],
        )
        with pytest.raises(KeyTaken):
            await commit(storage, second, Wanted(account_ids=[account_id(1)], payments=[payment_id(1)]))
        assert await everything(storage) == before

    async def test_the_same_changes_are_written_when_no_key_is_taken(self, storage: Storage) -> None:
        """Owners may choose the same key, and merchants the same reference."""
        await commit(
            storage, Changes(payments_new=[a_payment(1, reference="order-1")], answers_new=[an_answer("key-1")])
        )
        await commit(
            storage,
            Changes(
                payments_new=[
                    a_payment(2, reference="order-1", merchant_id=user_id(3)),
                    a_payment(3, reference=None),
                    a_payment(4, reference=None),
                ],
                answers_new=[an_answer("key-1", owner=2), an_answer("KEY-1")],
            ),
        )
        assert await storage.reader.payment(payment_id(4)) is not None

    async def test_a_cancelled_commit_is_written_whole_or_not_at_all(self, storage: Storage) -> None:
        """Whenever it is cancelled; and the locks are free afterwards."""
        numbers = range(1, 21)
        await commit(storage, Changes(accounts_new=[an_account(999)]))
        wanted = Wanted(account_ids=[account_id(999)])

        async def write(number: int) -> None:
            async with storage.unit_of_work() as work:
                [shared] = (await work.load(wanted)).accounts
                await work.commit(
                    Changes(
                        accounts_new=[an_account(number)],
                        accounts_changed=[shared.changed(credits_posted=1)],
                        transactions_new=[a_transaction(number)],
                        answers_new=[an_answer(f"key-{number}")],
                    )
                )

        async with asyncio.timeout(TIMEOUT_SECONDS):
            for number in numbers:
                task = asyncio.create_task(write(number))
                # At first it goes by turns of the event loop, then by time: either finds moments that the other misses.
                for _ in range(min(number, 10)):
                    await asyncio.sleep(0)
                await asyncio.sleep(max(0, number - 10) * 0.0007)
                task.cancel()
                await asyncio.wait([task])
            await write(1000)
        answers = (await load(storage, Wanted(answers=[an_answer(f"key-{n}").key for n in numbers]))).answers
        accounts = (await load(storage, Wanted(account_ids=[account_id(n) for n in numbers]))).accounts
        written = {answer.key.key for answer in answers}
        assert {f"key-{int(account.id[-4:])}" for account in accounts} == written
        assert {f"key-{int(t.id[-4:])}" for t in await all_transactions(storage)} == {*written, "key-1000"}
        shared = await storage.reader.account(account_id(999))
        assert shared == an_account(999, credits_posted=len(written) + 1, version=len(written) + 2)
