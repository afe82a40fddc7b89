"""Values come back as they were written: texts, times, counters, and every field."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from operator import attrgetter

import pytest

from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import (
    Changes,
    Records,
    Wanted,
)
from gateway.contracts.records import (
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
    by_email,
    commit,
    load,
    payment_id,
    transaction_id,
)
from gateway.contracts.unit_of_work.support import by_id
from gateway.domain.account import AccountKind, AccountStatus
from gateway.domain.event_type import EventType
from gateway.domain.money import AMOUNT_MINOR_MAX, COUNTER_MAX, Money
from gateway.domain.payment import CaptureMethod, Payment, PaymentReference
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.transaction import TransactionType
from gateway.domain.transfer import BalanceAfter
from gateway.domain.user import Role, UserId

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


class ValuesContract:
    """A part of `UnitOfWorkContract`."""

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
        credentials = await by_email(storage, new.user.email)
        assert credentials is not None
        assert credentials.user == new.user
        assert credentials.user.role is role

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
