"""What every unit of work promises.

No test needs two units of work to be inside at once, for some storages let in one at a time: tests that are about
concurrency start tasks, and wait for all of them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import ParamSpec

import pytest

from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import (
    AccountHolder,
    AnswerKey,
    Changes,
    KeyTaken,
    Records,
    StoredAnswer,
    TryAgain,
    Wanted,
)
from gateway.contracts.records import (
    EUR,
    JPY,
    USD,
    a_payment,
    a_transaction,
    a_transfer,
    a_user,
    account_id,
    an_account,
    an_answer,
    an_event,
    commit,
    load,
    payment_id,
    transaction_id,
    user_id,
)
from gateway.domain.account import Account, AccountId, AccountKind, AccountStatus
from gateway.domain.event_type import EventType
from gateway.domain.money import AMOUNT_MINOR_MAX, COUNTER_MAX, Money
from gateway.domain.payment import CaptureMethod, Payment, PaymentReference
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.transaction import Transaction, TransactionType
from gateway.domain.transfer import BalanceAfter
from gateway.domain.user import Role, UserId

Parameters = ParamSpec("Parameters")

TIMEOUT_SECONDS = 30
"""Longer than any storage may take, shorter than for ever: a deadlock fails, and does not hang."""

TEXTS = [
    "plain",
    "naïve café",
    "Ελλάδα 日本語 עברית",
    "👩\u200d🚀🏦",
    "e\u0301 is not \u00e9",
    "' OR 1=1; --",
    '"quoted" \\ % _ $1 :name',
    "line\nline\ttab\r\n",
    " spaces ",
    "x" * 4000,
]
TIMES = [
    datetime(2030, 1, 1, tzinfo=UTC),
    datetime(2030, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(2029, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(9998, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
]


class UnitOfWorkContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    async def test_an_answer_comes_back_whole_whether_or_not_it_ends_as_an_event_does(self, storage: Storage) -> None:
        """To the byte, with the data of an event in it or without, of one that was written with it or of none."""
        payment = a_payment(description="naïve 😀")
        event = an_event(1, payment, EventType.PAYMENT_CAPTURED)
        answers = [
            an_answer("key-1", body=b"201" + event.data, event_id=event.id),
            an_answer("key-2", body=event.data, event_id=event.id),
            an_answer("key-3", body=event.data + b" "),
            an_answer("key-4", body=b"201" + event.data),
            an_answer("key-5", body=b""),
        ]
        await commit(storage, Changes(payments_new=[payment], events_new=[event], answers_new=answers))
        found = await load(storage, Wanted(answers=[each.key for each in answers]))
        assert sorted(found.answers, key=attrgetter("key")) == answers

    async def test_committed_records_are_seen_by_the_next_unit_of_work(self, storage: Storage) -> None:
        """Every kind that can be loaded."""
        account, payment, answer, new = an_account(), a_payment(reference="order-1"), an_answer(), a_user()
        await commit(
            storage,
            Changes(users_new=[new], accounts_new=[account], payments_new=[payment], answers_new=[answer]),
        )
        reference = PaymentReference(payment.merchant_id, "order-1", user_id(1))
        wanted = Wanted(
            answers=[answer.key],
            account_ids=[account.id],
            payments=[payment.id],
            references=[reference],
            emails=[new.user.email],
            user_ids=[new.user.id],
        )
        found = await load(storage, wanted)
        assert found.answers == (answer,)
        assert found.accounts == (account,)
        assert found.payments == (payment,)
        assert found.references_taken == (reference,)
        assert found.emails_taken == (new.user.email,)
        assert found.user_ids_taken == (new.user.id,)

    async def test_changed_records_replace_those_of_the_same_id(self, storage: Storage) -> None:
        """The old ones are gone, the others are as they were."""
        await commit(
            storage,
            Changes(
                accounts_new=[an_account(1), an_account(2)],
                payments_new=[a_payment(1, reference="order-1", metadata={"a": "1"}), a_payment(2)],
            ),
        )
        account = an_account(1).changed(
            debits_pending=1, debits_posted=2, credits_pending=3, credits_posted=4, status=AccountStatus.FROZEN
        )
        payment = a_payment(
            1,
            reference="order-1",
            metadata={"a": "1"},
            status=PaymentStatus.FAILED,
            amount_captured_minor=30,
            amount_refunded_minor=20,
            fee_amount_minor=10,
            failure_code="insufficient_funds",
            expires_at=TIMES[1],
            version=2,
            updated_at=TIMES[0],
        )
        await commit(
            storage,
            Changes(accounts_changed=[account], payments_changed=[payment]),
            Wanted(account_ids=[account.id], payments=[payment.id]),
        )
        ids = [account_id(1), account_id(2)]
        assert by_id(await load(storage, Wanted(account_ids=ids))) == {ids[0]: account, ids[1]: an_account(2)}
        assert await storage.reader.payment(payment.id) == payment
        assert await storage.reader.payment(payment_id(2)) == a_payment(2)

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

    async def test_what_does_not_exist_is_left_out(self, storage: Storage) -> None:
        """Nothing is made up, and nothing is an error."""
        await commit(storage, Changes(accounts_new=[an_account(1)], answers_new=[an_answer("key-1")]))
        found = await load(
            storage,
            Wanted(
                answers=[an_answer("key-2").key, an_answer("key-1", owner=2).key],
                account_ids=[account_id(2), account_id(1)],
                account_keys=[an_account(3).key],
                payments=[payment_id(1)],
                references=[PaymentReference(user_id(2), "order-1", user_id(1))],
                emails=["nobody@example.com"],
                user_ids=[user_id(404)],
            ),
        )
        assert found == Records(accounts=(an_account(1),))

    async def test_nothing_wanted_is_nothing_found(self, storage: Storage) -> None:
        """However much there is."""
        await commit(storage, Changes(accounts_new=[an_account()], payments_new=[a_payment()]))
        assert await load(storage, Wanted()) == Records()

    async def test_an_account_is_found_by_its_key_and_by_its_id(self, storage: Storage) -> None:
        """And stands once among the records, even if it was wanted in both ways."""
        account = an_account()
        await commit(storage, Changes(accounts_new=[account, an_account(2)]))
        assert (await load(storage, Wanted(account_keys=[account.key]))).accounts == (account,)
        assert (await load(storage, Wanted(account_ids=[account.id]))).accounts == (account,)
        both = await load(storage, Wanted(account_ids=[account.id], account_keys=[account.key]))
        assert both.accounts == (account,)

    async def test_a_key_is_an_owner_a_currency_and_a_kind(self, storage: Storage) -> None:
        """Accounts that differ in one of them are different accounts."""
        accounts = [
            an_account(1),
            an_account(2, owner_id=user_id(1), currency=EUR),
            an_account(3, owner_id=user_id(1), kind=AccountKind.MERCHANT),
            an_account(4),
        ]
        await commit(storage, Changes(accounts_new=accounts))
        for account in accounts:
            assert (await load(storage, Wanted(account_keys=[account.key]))).accounts == (account,)

    async def test_it_tells_who_has_an_account_in_another_currency(self, storage: Storage) -> None:
        """Of the same kind, and only of owners whose account was not found."""
        await commit(storage, Changes(accounts_new=[an_account(1), an_account(2), an_account(3, currency=EUR)]))
        not_theirs = an_account(1, kind=AccountKind.MERCHANT, currency=EUR).key
        elsewhere = an_account(2, currency=EUR).key
        found = await load(
            storage, Wanted(account_keys=[not_theirs, elsewhere, an_account(3, currency=EUR).key, an_account(4).key])
        )
        assert found.account_holders == (AccountHolder(user_id(2), AccountKind.CUSTOMER),)
        assert [account.id for account in found.accounts] == [account_id(3)]

    async def test_the_accounts_of_a_payment_come_along(self, storage: Storage) -> None:
        """The customer's and the merchant's in its currency, and no others."""
        customer = an_account(1)
        merchant = an_account(2, kind=AccountKind.MERCHANT)
        others = [
            an_account(3, owner_id=user_id(1), currency=EUR),
            an_account(4, owner_id=user_id(2), kind=AccountKind.CUSTOMER),
            an_account(5),
        ]
        await commit(storage, Changes(accounts_new=[customer, merchant, *others], payments_new=[a_payment()]))
        found = await load(storage, Wanted(payments=[payment_id(1)], account_ids=[customer.id]))
        assert by_id(found) == {customer.id: customer, merchant.id: merchant}

    async def test_a_payments_absent_accounts_are_left_out(self, storage: Storage) -> None:
        """The payment itself is found."""
        await commit(storage, Changes(payments_new=[a_payment()]))
        assert await load(storage, Wanted(payments=[payment_id(1)])) == Records(payments=(a_payment(),))

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

    async def test_ids_of_new_transactions_are_of_a_later_moment_than_those_before(self, storage: Storage) -> None:
        """A clock that is behind takes nothing back, and nobody has to say anything."""
        await commit(storage, Changes(accounts_new=[an_account(1)]))
        wanted = Wanted(account_ids=[account_id(1)])
        later = datetime(2030, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
        expected = later
        for version, latest_at in enumerate([later, later - timedelta(days=1), None, later + timedelta(days=1)], 2):
            await commit(
                storage, Changes(accounts_changed=[an_account(1, version=version)], latest_at=latest_at), wanted
            )
            expected = max(expected, latest_at or expected)
            found = (await load(storage, wanted)).latest_at
            assert found is not None
            assert found >= expected

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

    @pytest.mark.parametrize("text", TEXTS)
    async def test_text_comes_back_as_it_went_in(self, storage: Storage, text: str) -> None:
        """Every character of it, wherever text stands. Only what is looked up by it is short."""
        short = text[:255]
        holder, metadata = UserId(short), {short: text, "": "", "k": text}
        payment = a_payment(reference=short, reference_held_by=holder, description=text, metadata=metadata)
        transaction = a_transaction(description=text)
        answer = an_answer(short, body=text.encode())
        new = a_user(name=text, password_hash=text)
        await commit(
            storage,
            Changes(users_new=[new], payments_new=[payment], transactions_new=[transaction], answers_new=[answer]),
        )
        reference = PaymentReference(payment.merchant_id, short, holder)
        found = await load(storage, Wanted(payments=[payment.id], answers=[answer.key], references=[reference]))
        assert found == Records(payments=(payment,), answers=(answer,), references_taken=(reference,))
        assert await storage.reader.transaction(transaction.id) == transaction
        credentials = await storage.users.by_id(new.user.id)
        assert credentials is not None
        assert (credentials.user, credentials.password_hash) == (new.user, text)

    @pytest.mark.parametrize("time", TIMES, ids=str)
    async def test_times_come_back_to_the_microsecond(self, storage: Storage, time: datetime) -> None:
        """Aware, in UTC."""
        new, account, answer = a_user(created_at=time), an_account(created_at=time), an_answer(created_at=time)
        payment = a_payment(created_at=time, updated_at=time, expires_at=time)
        transaction = a_transaction(created_at=time)
        await commit(
            storage,
            Changes(
                users_new=[new],
                accounts_new=[account],
                payments_new=[payment],
                transactions_new=[transaction],
                answers_new=[answer],
            ),
        )
        found = await load(storage, Wanted(account_ids=[account.id], payments=[payment.id], answers=[answer.key]))
        assert found == Records(accounts=(account,), payments=(payment,), answers=(answer,))
        assert await storage.reader.transaction(transaction.id) == transaction
        credentials = await storage.users.by_id(new.user.id)
        assert credentials is not None
        assert credentials.user == new.user
        [found_account], [found_payment] = found.accounts, found.payments
        for came_back in (found_account.created_at, found_payment.updated_at, credentials.user.created_at):
            assert came_back.utcoffset() == timedelta(0)

    async def test_counters_come_back_up_to_the_largest(self, storage: Storage) -> None:
        """64 bits, signed; balances after a transfer may be as far below zero."""
        largest = an_account(
            debits_posted=COUNTER_MAX - 7,
            debits_pending=3,
            credits_posted=COUNTER_MAX,
            credits_pending=COUNTER_MAX - 1,
            version=COUNTER_MAX,
        )
        funding = an_account(2, kind=AccountKind.FUNDING, debits_posted=COUNTER_MAX)
        transfer = a_transfer(
            funding.id,
            largest.id,
            amount_minor=AMOUNT_MINOR_MAX,
            debit_after=BalanceAfter(-COUNTER_MAX, 5, COUNTER_MAX),
            credit_after=BalanceAfter(COUNTER_MAX, COUNTER_MAX, COUNTER_MAX - 1),
        )
        await commit(
            storage,
            Changes(accounts_new=[largest, funding], transactions_new=[a_transaction(1, transfer)]),
        )
        found = await load(storage, Wanted(account_ids=[largest.id, funding.id]))
        assert by_id(found) == {largest.id: largest, funding.id: funding}
        assert await storage.reader.transaction(transaction_id(1)) == a_transaction(1, transfer)

    @pytest.mark.parametrize("kind", AccountKind)
    @pytest.mark.parametrize("status", AccountStatus)
    async def test_an_account_comes_back_with_every_kind_and_status(
        self, storage: Storage, kind: AccountKind, status: AccountStatus
    ) -> None:
        """The fields that are words."""
        account = an_account(kind=kind, status=status, currency=JPY)
        await commit(storage, Changes(accounts_new=[account]))
        [found] = (await load(storage, Wanted(account_ids=[account.id]))).accounts
        assert found == account
        assert (found.kind, found.status) == (kind, status)

    @pytest.mark.parametrize("status", PaymentStatus)
    @pytest.mark.parametrize("capture", CaptureMethod)
    async def test_a_payment_comes_back_with_every_field(
        self, storage: Storage, status: PaymentStatus, capture: CaptureMethod
    ) -> None:
        """Whether the optional ones are there or not."""
        full = a_payment(
            1,
            status=status,
            capture=capture,
            amount=Money(AMOUNT_MINOR_MAX, JPY),
            amount_captured_minor=AMOUNT_MINOR_MAX,
            amount_refunded_minor=AMOUNT_MINOR_MAX - 1,
            fee_amount_minor=17,
            reference="order-1",
            description="A description",
            metadata={"b": "2", "a": "1"},
            expires_at=TIMES[2],
            failure_code="insufficient_funds",
            version=7,
            updated_at=TIMES[1],
        )
        bare = a_payment(2, status=status, capture=capture, amount=Money(1, USD))
        await commit(storage, Changes(payments_new=[full, bare]))
        found: Collection[Payment] = (await load(storage, Wanted(payments=[full.id, bare.id]))).payments
        assert {payment.id: payment for payment in found} == {full.id: full, bare.id: bare}
        assert {(payment.status, payment.capture) for payment in found} == {(status, capture)}

    @pytest.mark.parametrize("kind", TransactionType)
    async def test_a_transaction_comes_back_with_its_transfers_in_their_order(
        self, storage: Storage, kind: TransactionType
    ) -> None:
        """And with every field, whether the optional ones are there or not."""
        transfers = [
            a_transfer(
                account_id(n),
                account_id(n + 1),
                amount_minor=n,
                debit_after=BalanceAfter(-n, n, 10 + n),
                credit_after=BalanceAfter(n, n, 20 + n),
            )
            for n in (3, 1, 2)
        ]
        full = a_transaction(1, *transfers, type=kind, payment_id=payment_id(1), description="A description")
        bare = a_transaction(2, type=kind, customer_id=None, merchant_id=None)
        await commit(storage, Changes(transactions_new=[full, bare]))
        assert await storage.reader.transaction(full.id) == full
        assert await storage.reader.transaction(bare.id) == bare

    @pytest.mark.parametrize("role", Role)
    async def test_a_user_comes_back_with_every_role(self, storage: Storage, role: Role) -> None:
        """And without a name."""
        new = a_user(role=role)
        await commit(storage, Changes(users_new=[new]))
        credentials = await storage.users.by_email(new.user.email)
        assert credentials is not None
        assert credentials.user == new.user
        assert credentials.user.role is role

    async def test_many_records_are_committed_and_loaded_at_once(self, storage: Storage) -> None:
        """A batch is as large as its executor lets it become."""
        numbers = range(1, 1201)
        accounts = [an_account(n) for n in numbers]
        answers = [an_answer(f"key-{n}", body=str(n).encode()) for n in numbers]
        await commit(storage, Changes(accounts_new=accounts, answers_new=answers))
        wanted = Wanted(
            account_ids=[account.id for account in accounts[:600]],
            account_keys=[account.key for account in accounts[400:]],
            answers=[answer.key for answer in answers],
        )
        changed = {account.id: account.changed(credits_posted=n) for n, account in enumerate(accounts)}
        await commit(storage, Changes(accounts_changed=list(changed.values())), wanted)
        found = await load(storage, wanted)
        assert by_id(found) == changed
        assert {answer.key: answer for answer in found.answers} == {answer.key: answer for answer in answers}

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


def run_again(work: Callable[Parameters, Awaitable[None]]) -> Callable[Parameters, Awaitable[None]]:
    """`work`, run until it commits, as the application does it."""

    async def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        while True:
            with suppress(TryAgain):
                return await work(*args, **kwargs)

    return run


def by_id(records: Records) -> dict[AccountId, Account]:
    """The accounts found; each must stand there once."""
    found = {account.id: account for account in records.accounts}
    assert len(found) == len(records.accounts), "an account was found twice"
    return found


async def all_transactions(storage: Storage) -> list[Transaction]:
    """Every transaction there is."""
    async with storage.audit() as audit:
        return [transaction async for page in audit.transactions() for transaction in page]


async def everything(storage: Storage) -> list[object]:
    """All records that a storage can show, in an order that does not depend on it."""
    numbers = range(1, 4)
    async with storage.audit() as audit:
        told: list[object] = [
            await sorted_records(audit.accounts()),
            await sorted_records(audit.payments()),
            await sorted_records(audit.transactions()),
            await sorted_records(audit.status_changes()),
            await sorted_records(page.items() async for page in audit.payment_events()),
        ]
    keys = [AnswerKey(user_id(1), f"key-{n}") for n in numbers]
    answers = {answer.key: answer for answer in (await load(storage, Wanted(answers=keys))).answers}
    told.extend([answers.get(key) for key in keys])
    told.extend([await storage.users.by_email(f"user{n}@example.com") for n in numbers])
    told.extend([await storage.users.by_id(user_id(n)) for n in numbers])
    return told


async def sorted_records(pages: AsyncIterator[Collection[object]]) -> list[object]:
    """The records of all pages, sorted by their representation."""
    return sorted([record async for page in pages for record in page], key=repr)
