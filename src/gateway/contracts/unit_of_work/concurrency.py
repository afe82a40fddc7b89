"""Concurrent units of work lose no change, answer each key once, and never deadlock."""

import asyncio
from collections.abc import Collection

from gateway.application.ports.batch_records import StoredAnswer
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, KeyTaken, Wanted
from gateway.contracts.records import (
    a_payment,
    a_transaction,
    account_id,
    an_account,
    an_answer,
    commit,
    load,
    payment_id,
    transaction_id,
    user_id,
)
from gateway.contracts.unit_of_work.support import TIMEOUT_SECONDS, all_transactions, run_again
from gateway.domain.account import AccountKind


class ConcurrencyContract:
    """A part of `UnitOfWorkContract`."""

    async def test_units_of_work_on_the_same_account_take_turns(self, storage: Storage) -> None:
        """Of twenty that read, wait a little and write, none overwrites another's change.

        They wait for each other, or one of them gets a conflict and has written nothing.
        """
        await commit(storage, Changes(accounts_new=[an_account()]))

        @run_again
        async def credit_one(wanted: Wanted) -> None:
            async with storage.unit_of_work() as work:
                [account] = (await work.load(wanted)).accounts
                await asyncio.sleep(0.001)
                await work.commit(Changes(accounts_changed=[account.changed(credits_posted=1)]))

        by_key, by_its_id = Wanted(account_keys=[an_account().key]), Wanted(account_ids=[account_id(1)])
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await asyncio.gather(*(credit_one(by_key if n % 2 else by_its_id) for n in range(20)))
        assert await storage.reader.account(account_id(1)) == an_account(credits_posted=20, version=21)

    async def test_units_of_work_on_the_same_payment_take_turns(self, storage: Storage) -> None:
        """As on an account."""
        await commit(storage, Changes(payments_new=[a_payment(amount_captured_minor=40)]))

        @run_again
        async def refund_one() -> None:
            async with storage.unit_of_work() as work:
                [payment] = (await work.load(Wanted(payments=[payment_id(1)]))).payments
                await asyncio.sleep(0.001)
                after = a_payment(
                    amount_captured_minor=40,
                    amount_refunded_minor=payment.amount_refunded_minor + 1,
                    version=payment.version + 1,
                )
                await work.commit(Changes(payments_changed=[after]))

        async with asyncio.timeout(TIMEOUT_SECONDS):
            await asyncio.gather(*(refund_one() for _ in range(20)))
        assert await storage.reader.payment(payment_id(1)) == a_payment(
            amount_captured_minor=40, amount_refunded_minor=20, version=21
        )

    async def test_locking_in_opposite_orders_never_deadlocks(self, storage: Storage) -> None:
        """Neither by id nor by key nor through payments, however the wishes are ordered."""
        accounts = [an_account(n, kind=AccountKind.CUSTOMER if n % 2 else AccountKind.MERCHANT) for n in range(1, 9)]
        payments = [a_payment(n, customer_id=user_id(9 - 2 * n), merchant_id=user_id(2 * n)) for n in range(1, 5)]
        await commit(storage, Changes(accounts_new=accounts, payments_new=payments))
        ids, keys = [account.id for account in accounts], [account.key for account in accounts]
        wishes = [
            Wanted(account_ids=ids),
            Wanted(account_ids=ids[::-1]),
            Wanted(account_keys=keys),
            Wanted(account_keys=keys[::-1]),
            Wanted(payments=[payment.id for payment in payments]),
            Wanted(payments=[payment.id for payment in payments[::-1]]),
            Wanted(account_ids=ids[4:], account_keys=keys[3::-1]),
            Wanted(account_ids=ids[3::-1], account_keys=keys[4:]),
        ]

        @run_again
        async def visit(wanted: Wanted) -> None:
            async with storage.unit_of_work() as work:
                found = await work.load(wanted)
                await work.commit(
                    Changes(accounts_changed=[account.changed(credits_posted=1) for account in found.accounts])
                )

        rounds = 5
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await asyncio.gather(*(visit(wanted) for _ in range(rounds) for wanted in wishes))
        found = await load(storage, Wanted(account_ids=ids))
        assert {account.credits_posted for account in found.accounts} == {rounds * len(wishes)}

    async def test_the_second_transaction_with_a_key_finds_the_first_answer(self, storage: Storage) -> None:
        """Byte for byte, whichever of sixteen was first; exactly one of them has moved the money."""
        await commit(storage, Changes(accounts_new=[an_account()]))

        async def claim(number: int) -> StoredAnswer:
            answer = an_answer("key-1", body=bytes(range(256)) + bytes([number]), fingerprint=bytes([number]) * 32)
            while True:
                async with storage.unit_of_work() as work:
                    found = await work.load(Wanted(answers=[answer.key]))
                    if found.answers:
                        return next(iter(found.answers))
                    await asyncio.sleep(0.001)
                    transaction = a_transaction(number)
                    try:
                        await work.commit(Changes(transactions_new=[transaction], answers_new=[answer]))
                    except KeyTaken:
                        continue
                    return answer

        async with asyncio.timeout(TIMEOUT_SECONDS):
            answers = await asyncio.gather(*(claim(number) for number in range(1, 17)))
        [kept] = set(answers)
        number = kept.fingerprint[0]
        assert kept.body == bytes(range(256)) + bytes([number])
        [transaction] = await all_transactions(storage)
        assert transaction.id == transaction_id(number)

    async def test_keys_claimed_in_opposite_orders_never_deadlock(self, storage: Storage) -> None:
        """Each of several keys is answered by one unit of work."""
        keys = [f"key-{n}" for n in range(100)]

        async def claim(number: int, keys: Collection[str]) -> bool:
            answers = [an_answer(key, body=str(number).encode()) for key in keys]
            try:
                await commit(storage, Changes(answers_new=answers))
            except KeyTaken:
                return False
            return True

        async with asyncio.timeout(TIMEOUT_SECONDS):
            won = await asyncio.gather(*(claim(n, keys if n % 2 else keys[::-1]) for n in range(16)))
        found = await load(storage, Wanted(answers=[an_answer(key).key for key in keys]))
        assert won.count(True) == 1
        assert {answer.body for answer in found.answers} == {str(won.index(True)).encode()}
        assert len(found.answers) == len(keys)
