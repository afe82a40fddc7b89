"""What every storage promises about refunds, fees, reversals and payments whose time is over."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from gateway.application.commands.confirm_payment import ConfirmPayment
from gateway.application.commands.shared.payments import PaymentResult
from gateway.application.engine.batch import Batch
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.ports.batch_records import Payer
from gateway.application.ports.reader import PaymentFilter
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, KeyTaken, Records, Wanted
from gateway.contracts.records import (
    EUR,
    NOW,
    USD,
    SequentialIdentifiers,
    a_payment,
    a_transaction,
    a_transfer,
    account_id,
    an_account,
    commit,
    identifier,
    load,
    payment_id,
    transaction_id,
    user_id,
)
from gateway.domain.account import Account, AccountId, AccountKind
from gateway.domain.errors import InsufficientFunds, PaymentNotFound
from gateway.domain.fees import NO_FEES, FeeSchedule
from gateway.domain.money import AMOUNT_MINOR_MAX, Money
from gateway.domain.payment import Payment, PaymentId
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.refund import Refund, RefundId
from gateway.domain.transfer import TransferKind
from gateway.domain.user import SYSTEM, UserId

SECOND = timedelta(seconds=1)
TIMEOUT_SECONDS: Final = 30
"""Longer than any storage may take, shorter than for ever: a deadlock fails, and does not hang."""


def refund_id(number: int) -> RefundId:
    """The id of refund `number`."""
    return RefundId(identifier("ref", number))


def a_refund(number: int = 1, of: PaymentId | None = None, *, reason: str | None = None) -> Refund:
    """A refund of 7 cents of payment 1, unless told otherwise."""
    return Refund(
        id=refund_id(number),
        payment_id=of or payment_id(1),
        transaction_id=transaction_id(number),
        amount=Money(7, USD),
        fee_refunded_minor=2,
        reason=reason,
        created_at=NOW,
    )


def for_fees(number: int = 9, **fields: object) -> Account:
    """The gateway's own account for fees in USD, unless `fields` say otherwise."""
    return an_account(number, **{"owner_id": SYSTEM, "kind": AccountKind.FEES, **fields})


PARTIES: Final = (an_account(1), an_account(2, kind=AccountKind.MERCHANT), an_account(3))
"""A customer and a stranger who have nothing, and a merchant between them."""


def a_request_of(*, customer_id: UserId | None) -> Payment:
    """Payment 1, which waits for its customer, or for anybody."""
    return a_payment(
        1, status=PaymentStatus.REQUIRES_CONFIRMATION, customer_id=customer_id, expires_at=NOW + 60 * SECOND
    )


def confirm(customer: int) -> ConfirmPayment:
    """A customer's confirmation of payment 1."""
    return ConfirmPayment(payment_id=payment_id(1), customer_id=user_id(customer))


def executor_of(storage: Storage) -> CommandExecutor:
    """The executor, a second later."""
    identifiers = SequentialIdentifiers()
    batch = Batch(unit_of_work=storage.unit_of_work, clock=lambda: NOW + SECOND, identifiers=identifiers)
    return CommandExecutor(OneByOne(retrying(batch.run, RetryLimits())), identifiers)


class LifeOfAPaymentContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    async def test_a_refund_comes_back_with_every_field(self, storage: Storage) -> None:
        """Whether it has a reason or not; one that does not exist is none."""
        refunds = [a_refund(1, reason="cold ☕"), a_refund(2)]
        await commit(storage, Changes(refunds_new=refunds))
        for refund in refunds:
            assert await storage.reader.refund(refund.id) == refund
        assert await storage.reader.refund(refund_id(3)) is None

    async def test_the_refunds_of_a_payment_come_newest_first_page_by_page(self, storage: Storage) -> None:
        """And the refunds of no other payment."""
        await commit(storage, Changes(refunds_new=[a_refund(n, payment_id(1 + n % 2)) for n in (3, 1, 2, 4, 5)]))
        first = await storage.reader.refunds(payment_id(2), before=None, limit=2)
        assert [refund.id for refund in first] == [refund_id(5), refund_id(3)]
        rest = await storage.reader.refunds(payment_id(2), before=first[-1].id, limit=2)
        assert [refund.id for refund in rest] == [refund_id(1)]
        assert not await storage.reader.refunds(payment_id(3), before=None, limit=2)

    async def test_a_payment_comes_back_with_what_became_of_it(self, storage: Storage) -> None:
        """When it was made, and when it was changed; its customer may come later."""
        asked = a_payment(
            1, status=PaymentStatus.REQUIRES_CONFIRMATION, customer_id=None, amount=Money(AMOUNT_MINOR_MAX, USD)
        )
        refunded = a_payment(
            2,
            amount_captured_minor=40,
            amount_refunded_minor=30,
            fee_amount_minor=3,
            fee_refunded_minor=2,
            amount_refunded_with_fee_minor=20,
            captures=50,
            refunds=100,
        )
        await commit(storage, Changes(payments_new=[asked, refunded]))
        assert await storage.reader.payment(asked.id) == asked
        assert await storage.reader.payment(refunded.id) == refunded
        changed = a_payment(
            1,
            customer_id=user_id(7),
            amount=Money(AMOUNT_MINOR_MAX, USD),
            amount_captured_minor=AMOUNT_MINOR_MAX,
            amount_refunded_minor=5,
            fee_amount_minor=4,
            fee_refunded_minor=3,
            amount_refunded_with_fee_minor=2,
            captures=1,
            refunds=2,
            version=2,
        )
        await commit(storage, Changes(payments_changed=[changed]), Wanted(payments=[asked.id]))
        assert await storage.reader.payment(asked.id) == changed
        assert await storage.reader.payment(refunded.id) == refunded

    async def test_a_request_survives_a_confirmation_that_lacks_funds_and_is_then_confirmed(
        self, storage: Storage
    ) -> None:
        """It keeps why it failed until then; the refusal stays under its key."""
        asked = a_request_of(customer_id=user_id(1))
        await commit(storage, Changes(accounts_new=PARTIES, payments_new=[asked]))
        executor = executor_of(storage)
        poor, rich = confirm(1), Changes(accounts_changed=[an_account(1, credits_posted=40, version=2)])
        for _ in range(2):
            with pytest.raises(InsufficientFunds) as refused:
                await executor.execute(poor, idempotency_key="first")
            assert refused.value.facts == {"payment_id": asked.id}
            tried = replace(asked, failure_code="insufficient_funds", version=2, updated_at=NOW + SECOND)
            assert await storage.reader.payment(asked.id) == tried
        await commit(storage, rich, Wanted(account_ids=[account_id(1)]))
        with pytest.raises(InsufficientFunds):
            await executor.execute(poor, idempotency_key="first")
        paid = await executor.execute(poor, idempotency_key="second")
        assert (paid.payment.status, paid.payment.failure_code) == (PaymentStatus.CAPTURED, None)
        assert (paid.payment.version, await storage.reader.payment(asked.id)) == (3, paid.payment)

    async def test_a_stranger_without_money_does_not_bind_an_open_request(self, storage: Storage) -> None:
        """Nor does the payment come into the stranger's list; its merchant sees why it was not paid."""
        asked, stranger = a_request_of(customer_id=None), user_id(3)
        await commit(storage, Changes(accounts_new=PARTIES, payments_new=[asked]))
        with pytest.raises(InsufficientFunds):
            await executor_of(storage).execute(confirm(3))
        assert not await storage.reader.payments(PaymentFilter(customer_id=stranger), before=None, limit=2)
        [tried] = await storage.reader.payments(PaymentFilter(merchant_id=user_id(2)), before=None, limit=2)
        assert tried == replace(asked, failure_code="insufficient_funds", version=2, updated_at=NOW + SECOND)

    async def test_of_many_confirmations_of_an_open_request_at_once_each_failure_is_a_version_and_one_pays(
        self, storage: Storage
    ) -> None:
        """Customers who come after the paying customer find no such payment."""
        asked = a_request_of(customer_id=None)
        payer, poor = an_account(4, credits_posted=40), [an_account(n) for n in range(5, 9)]
        await commit(storage, Changes(accounts_new=[*PARTIES, payer, *poor], payments_new=[asked]))
        executor = executor_of(storage)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            outcomes = await asyncio.gather(
                *(executor.execute(confirm(n)) for n in (5, 6, 4, 7, 8)), return_exceptions=True
            )
        [paid] = [outcome.payment for outcome in outcomes if isinstance(outcome, PaymentResult)]
        failures = sum(isinstance(outcome, InsufficientFunds) for outcome in outcomes)
        assert failures + sum(isinstance(outcome, PaymentNotFound) for outcome in outcomes) == len(poor)
        assert (paid.customer_id, paid.failure_code, paid.version) == (user_id(4), None, failures + 2)
        assert await storage.reader.payment(asked.id) == paid
        sequences: list[int] = []
        async with storage.audit() as audit:
            async for page in audit.payment_events():
                sequences.extend(page.get(asked.id, ()))
        # The request was written without its event.
        assert sorted(sequences) == list(range(2, failures + 3))

    async def test_an_account_keeps_its_fees(self, storage: Storage) -> None:
        """When it was opened, and when they were set."""
        before = an_account(fees=FeeSchedule(10_000, AMOUNT_MINOR_MAX))
        await commit(storage, Changes(accounts_new=[before]))
        assert await storage.reader.account(before.id) == before
        after = before.with_fee_schedule(NO_FEES)
        await commit(storage, Changes(accounts_changed=[after]), Wanted(account_ids=[before.id]))
        assert await storage.reader.account(before.id) == after

    async def test_the_account_for_fees_comes_along_with_a_merchant_who_is_charged_any(self, storage: Storage) -> None:
        """In the merchant's currency; and not with one who is not, so that nobody waits for it in vain."""
        with_fee_schedule = an_account(1, kind=AccountKind.MERCHANT, fees=FeeSchedule(0, 1))
        free = an_account(2, kind=AccountKind.MERCHANT)
        fees, euros = for_fees(), for_fees(8, currency=EUR)
        await commit(storage, Changes(accounts_new=[with_fee_schedule, free, fees, euros]))
        for wanted in (Wanted(account_keys=[with_fee_schedule.key]), Wanted(account_ids=[with_fee_schedule.id])):
            assert accounts_in(await load(storage, wanted)) == {with_fee_schedule.id: with_fee_schedule, fees.id: fees}
        assert accounts_in(await load(storage, Wanted(account_keys=[free.key]))) == {free.id: free}
        both = Wanted(account_keys=[with_fee_schedule.key, fees.key, euros.key])
        assert accounts_in(await load(storage, both)).keys() == {with_fee_schedule.id, fees.id, euros.id}

    async def test_the_account_for_fees_comes_along_with_a_payment_that_was_charged(self, storage: Storage) -> None:
        """Though its merchant is charged no longer: what was charged may go back."""
        merchant, fees = an_account(2, kind=AccountKind.MERCHANT), for_fees()
        with_fee_schedule = a_payment(1, amount_captured_minor=40, fee_amount_minor=1)
        await commit(storage, Changes(accounts_new=[merchant, fees], payments_new=[with_fee_schedule, a_payment(2)]))
        found = await load(storage, Wanted(payments=[payment_id(1)]))
        assert accounts_in(found).keys() == {merchant.id, fees.id}
        assert accounts_in(await load(storage, Wanted(payments=[payment_id(2)]))).keys() == {merchant.id}

    async def test_a_payers_account_comes_in_the_currency_of_the_payment(self, storage: Storage) -> None:
        """Nobody knows it before the payment was read; a payment that does not exist brings none."""
        asked = a_payment(1, customer_id=None, amount=Money(40, EUR))
        dollars, euros = an_account(1), an_account(2, owner_id=user_id(1), currency=EUR)
        await commit(storage, Changes(accounts_new=[dollars, euros], payments_new=[asked]))
        payers = [Payer(payment_id(1), user_id(1)), Payer(payment_id(9), user_id(1))]
        found = await load(storage, Wanted(payments=[payment_id(1), payment_id(9)], payers=payers))
        assert accounts_in(found) == {euros.id: euros}

    async def test_a_transaction_comes_with_its_accounts_and_what_reversed_it(self, storage: Storage) -> None:
        """What does not exist is left out."""
        original, reversal = a_transaction(1), a_transaction(2, reverses=transaction_id(1))
        debit, credit = an_account(1), an_account(2)
        await commit(storage, Changes(accounts_new=[debit, credit, an_account(3)], transactions_new=[original]))
        wanted = Wanted(transactions=[transaction_id(1), transaction_id(9)])
        found = await load(storage, wanted)
        assert found.transactions == (original,)
        assert accounts_in(found) == {debit.id: debit, credit.id: credit}
        await commit(storage, Changes(transactions_new=[reversal]))
        [reversed_original] = (await load(storage, wanted)).transactions
        assert reversed_original == a_transaction(1, reversed_by=reversal.id)

    async def test_a_transaction_is_reversed_once(self, storage: Storage) -> None:
        """The second transaction gets `KeyTaken`."""
        await commit(storage, Changes(transactions_new=[a_transaction(1)]))
        await commit(storage, Changes(transactions_new=[a_transaction(2, reverses=transaction_id(1))]))
        with pytest.raises(KeyTaken):
            await commit(storage, Changes(transactions_new=[a_transaction(3, reverses=transaction_id(1))]))
        assert await storage.reader.transaction(transaction_id(3)) is None

    @pytest.mark.parametrize("kind", TransferKind)
    async def test_a_transfer_comes_back_with_every_kind(self, storage: Storage, kind: TransferKind) -> None:
        """A hold as well as what becomes of it."""
        transaction = a_transaction(1, a_transfer(account_id(1), account_id(2), kind=kind))
        await commit(storage, Changes(transactions_new=[transaction]))
        assert await storage.reader.transaction(transaction.id) == transaction

    async def test_it_tells_which_payments_are_due(self, storage: Storage) -> None:
        """The longest overdue first, from the very moment on; those that have ended are not due."""
        unfinished = [
            a_payment(1, status=PaymentStatus.AUTHORIZED, expires_at=NOW),
            a_payment(2, status=PaymentStatus.REQUIRES_CONFIRMATION, expires_at=NOW - SECOND),
            a_payment(3, status=PaymentStatus.PARTIALLY_CAPTURED, expires_at=NOW - SECOND, amount_captured_minor=1),
            a_payment(4, status=PaymentStatus.AUTHORIZED, expires_at=NOW + timedelta(microseconds=1)),
        ]
        ended = [
            a_payment(5 + n, status=status, expires_at=NOW - SECOND)
            for n, status in enumerate(
                [PaymentStatus.CAPTURED, PaymentStatus.CANCELED, PaymentStatus.EXPIRED, PaymentStatus.FAILED]
            )
        ]
        await commit(storage, Changes(payments_new=[*unfinished, *ended, a_payment(9)]))
        due = [payment_id(2), payment_id(3), payment_id(1)]
        assert list(await storage.reader.payments_due(NOW, limit=100)) == due
        assert list(await storage.reader.payments_due(NOW, limit=2)) == due[:2]

    async def test_payments_are_found_by_where_they_stand_at_a_time(self, storage: Storage) -> None:
        """Whether or not their expiry has been written down."""
        statuses = list(PaymentStatus)
        payments = [
            a_payment(2 * n + later, status=status, expires_at=NOW + later * SECOND)
            for n, status in enumerate(statuses)
            for later in (0, 1)
        ] + [a_payment(99, status=PaymentStatus.CAPTURED)]
        await commit(storage, Changes(payments_new=payments))
        for status in statuses:
            where = PaymentFilter(status=status, as_of=NOW)
            found = await storage.reader.payments(where, before=None, limit=100)
            expected = [payment for payment in reversed(payments) if payment.status_at(NOW) is status]
            assert list(found) == expected, status


def accounts_in(records: Records) -> dict[AccountId, Account]:
    """The accounts found; each must stand there once."""
    found = {account.id: account for account in records.accounts}
    assert len(found) == len(records.accounts), "an account was found twice"
    return found
