"""What becomes of a payment, through the executor: every row of the table, and the books are right after each."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from application.conftest import OpenExecutor
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.commands import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    ExpirePayment,
    FreezeAccount,
    MakePayout,
    OpenAccount,
    Paid,
    Pay,
    RefundPayment,
    RequestPayment,
    ReverseTransaction,
    SetFees,
)
from gateway.application.engine.command import Command
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.errors import RoleForbidden
from gateway.application.ports.storage import Storage
from gateway.application.verification.verify import verify
from gateway.contracts.records import EUR, USD, account_id, payment_id, transaction_id, user_id
from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.errors import (
    AccountFrozen,
    AccountNotFound,
    AlreadyReversed,
    CaptureAmountExceedsAuthorized,
    CurrencyMismatch,
    DuplicateReference,
    InsufficientFunds,
    MerchantInsufficientFunds,
    MerchantNotFound,
    PaymentExpired,
    PaymentNotDue,
    PaymentNotFound,
    PaymentNotRefundable,
    PaymentStateInvalid,
    RefundAmountExceedsRemaining,
    Refusal,
    SameAccount,
    TransactionNotFound,
    TransactionNotReversible,
    UseRefund,
    UserNotFound,
)
from gateway.domain.event import EventType
from gateway.domain.fees import FeeSchedule
from gateway.domain.payment import CaptureMethod, Payment, PaymentId
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.payment_terms import PaymentOrder, PaymentRequest
from gateway.domain.transaction import Transaction, TransactionId, TransactionType
from gateway.domain.transfer import TransferKind
from gateway.domain.user import SYSTEM, Role
from support.builders import (
    CUSTOMER,
    CUSTOMER_ACCOUNT,
    MERCHANT,
    MERCHANT_ACCOUNT,
    StandingClock,
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

FEES_ACCOUNT = account_id(3)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Shop:
    """A customer with a dollar, a merchant, and the executor before them."""

    executor: CommandExecutor
    storage: Storage
    watch: Watch
    clock: StandingClock

    async def ask(self, command: Command[Any]) -> EventType | None:
        """Execute a command; the type of the last event that it wrote, if it wrote any."""
        self.watch.commits.clear()
        await self.executor.execute(command)
        events = [event for changes in self.watch.commits for event in changes.events_new]
        return events[-1].type if events else None

    async def payment(self, payment_id: PaymentId) -> Payment:
        """The payment as it is kept."""
        payment = await self.storage.reader.payment(payment_id)
        assert payment is not None
        return payment

    async def hold(self, amount_minor: int = 100) -> PaymentId:
        """A payment of the customer's to be captured."""
        return (await self.executor.execute(authorize(amount_minor))).payment.id

    async def request(self, amount_minor: int = 40, **terms: object) -> PaymentId:
        """A payment that the merchant asks for."""
        return (await self.executor.execute(a_request(amount_minor, **terms))).id

    async def held(self) -> int:
        """What is held of the customer's money."""
        account = await self.storage.reader.account(CUSTOMER_ACCOUNT)
        assert account is not None
        return account.held

    async def fees(self) -> int:
        """What the gateway has earned."""
        account = await self.storage.reader.account(FEES_ACCOUNT)
        assert account is not None
        return account.available


@pytest.fixture
async def shop(storage: Storage, open_executor: OpenExecutor) -> AsyncIterator[Shop]:
    """A shop, whose books are checked in the end, whatever happened."""
    await opened(storage)
    watch, clock = Watch(), StandingClock()
    async with open_executor(a_batch(watched(storage, watch), clock).run) as executor:
        yield Shop(CommandExecutor(executor, time_ordered_id), storage, watch, clock)
    async with storage.audit() as audit:
        findings = await verify(audit)
    assert findings.named == []


def authorize(amount_minor: int, **terms: object) -> Pay:
    return Pay(
        order=PaymentOrder(
            customer_id=CUSTOMER,
            merchant_id=MERCHANT,
            amount=usd(amount_minor),
            metadata={},
            capture=CaptureMethod.MANUAL,
            expires_in_seconds=60,
            **terms,  # type: ignore[arg-type]  # Tests name fields.
        )
    )


def a_request(amount_minor: int = 40, **terms: object) -> RequestPayment:
    fields = {"customer_id": CUSTOMER, "merchant_id": MERCHANT, "expires_in_seconds": 60, **terms}
    return RequestPayment(request=PaymentRequest(amount=usd(amount_minor), metadata={}, **fields))  # type: ignore[arg-type]  # As above.


def capture(payment: PaymentId, amount_minor: int | None = None, *, final: bool = True) -> CapturePayment:
    return CapturePayment(payment_id=payment, merchant_id=MERCHANT, amount_minor=amount_minor, final=final)


def refund(payment: PaymentId, amount_minor: int | None = None, *, refund_fee: bool = False) -> RefundPayment:
    return RefundPayment(
        payment_id=payment, merchant_id=MERCHANT, amount_minor=amount_minor, refund_fee=refund_fee, reason="cold"
    )


def confirm(payment: PaymentId, customer: int = 1) -> ConfirmPayment:
    return ConfirmPayment(payment_id=payment, customer_id=user_id(customer))


def cancel(payment: PaymentId, by: int = 2) -> CancelPayment:
    return CancelPayment(payment_id=payment, by=user_id(by))


def set_fees(basis_points: int, fixed_minor: int) -> SetFees:
    return SetFees(merchant_id=MERCHANT, currency=USD, fees=FeeSchedule(basis_points, fixed_minor))


def moves(transaction: Transaction) -> list[tuple[TransferKind, int]]:
    return [(transfer.kind, transfer.amount_minor) for transfer in transaction.transfers]


async def test_nobody_asks_themselves_for_a_payment_or_confirms_it(shop: Shop) -> None:
    """A user may have accounts of both kinds, where an embedding program opens them."""
    await shop.executor.execute(OpenAccount(key=AccountKey(MERCHANT, USD, AccountKind.CUSTOMER)))
    with pytest.raises(SameAccount):
        await shop.executor.execute(a_request(customer_id=MERCHANT))
    asked = await shop.executor.execute(a_request(customer_id=None))
    with pytest.raises(SameAccount):
        await shop.executor.execute(confirm(asked.id, customer=2))
    paid: Paid = await shop.executor.execute(confirm(asked.id))
    assert paid.payment.customer_id == CUSTOMER


async def test_a_hold_is_captured_whole(shop: Shop) -> None:
    paid: Paid = await shop.executor.execute(authorize(40))
    assert paid.payment.status is PaymentStatus.AUTHORIZED
    assert paid.transaction.type is TransactionType.HOLD
    assert (await balances(shop.storage), await shop.held()) == ((60, 0), 40)
    taken = await shop.executor.execute(capture(paid.payment.id))
    assert (taken.payment.status, taken.payment.version) == (PaymentStatus.CAPTURED, 2)
    assert (taken.transaction.type, moves(taken.transaction)) == (
        TransactionType.CAPTURE,
        [(TransferKind.POST_HELD, 40)],
    )
    assert (await balances(shop.storage), await shop.held()) == ((60, 40), 0)


async def test_a_final_capture_of_a_part_gives_the_rest_back(shop: Shop) -> None:
    taken = await shop.executor.execute(capture(await shop.hold(), 30))
    assert moves(taken.transaction) == [(TransferKind.POST_HELD, 30), (TransferKind.RELEASE, 70)]
    assert (await balances(shop.storage), await shop.held()) == ((70, 30), 0)


async def test_a_hold_is_captured_in_parts_until_nothing_is_left(shop: Shop) -> None:
    payment = await shop.hold()
    assert await shop.ask(capture(payment, 30, final=False)) is EventType.PAYMENT_PARTIALLY_CAPTURED
    assert (await balances(shop.storage), await shop.held()) == ((0, 30), 70)
    with pytest.raises(CaptureAmountExceedsAuthorized):
        await shop.executor.execute(capture(payment, 71, final=False))
    assert await shop.ask(capture(payment, 70, final=False)) is EventType.PAYMENT_CAPTURED
    assert (await balances(shop.storage), await shop.held()) == ((0, 100), 0)


async def test_a_canceled_hold_goes_back(shop: Shop) -> None:
    payment = await shop.hold()
    assert await shop.ask(cancel(payment)) is EventType.PAYMENT_CANCELED
    assert (await balances(shop.storage), await shop.held()) == ((100, 0), 0)


async def test_what_was_captured_before_it_was_canceled_stays_captured(shop: Shop) -> None:
    payment = await shop.hold()
    await shop.executor.execute(capture(payment, 30, final=False))
    assert await shop.ask(cancel(payment)) is EventType.PAYMENT_CAPTURED
    assert (await balances(shop.storage), await shop.held()) == ((70, 30), 0)


async def test_a_customer_cannot_cancel_what_they_confirmed(shop: Shop) -> None:
    payment = await shop.hold()
    with pytest.raises(RoleForbidden):
        await shop.executor.execute(cancel(payment, by=1))
    with pytest.raises(PaymentNotFound):
        await shop.executor.execute(cancel(payment, by=9))
    assert await shop.held() == 100


async def test_a_hold_expires_once_at_its_time(shop: Shop) -> None:
    payment = await shop.hold()
    shop.clock.advance(59)
    with pytest.raises(PaymentNotDue):
        await shop.executor.execute(ExpirePayment(payment_id=payment), idempotency_key="expire")
    shop.clock.advance(1)
    late: list[Command[Any]] = [capture(payment), cancel(payment)]
    for command in late:
        with pytest.raises(PaymentExpired):
            await shop.executor.execute(command)
    await shop.executor.execute(ExpirePayment(payment_id=payment), idempotency_key="expire")
    assert (await balances(shop.storage), await shop.held()) == ((100, 0), 0)
    expired = await shop.payment(payment)
    assert (expired.status, expired.version) == (PaymentStatus.EXPIRED, 2)
    assert await shop.ask(ExpirePayment(payment_id=payment)) is None
    assert await shop.payment(payment) == expired


async def test_what_was_captured_before_its_time_was_over_stays_captured(shop: Shop) -> None:
    payment = await shop.hold()
    await shop.executor.execute(capture(payment, 30, final=False))
    shop.clock.advance(60)
    assert await shop.ask(ExpirePayment(payment_id=payment)) is EventType.PAYMENT_CAPTURED
    assert (await balances(shop.storage), await shop.held()) == ((70, 30), 0)


@pytest.mark.parametrize("method", CaptureMethod)
async def test_a_customer_confirms_what_a_merchant_asks_for(shop: Shop, method: CaptureMethod) -> None:
    payment = await shop.request(capture=method)
    assert await balances(shop.storage) == (100, 0)
    with pytest.raises(PaymentNotFound):
        await shop.executor.execute(confirm(payment, customer=9))
    confirmed: Paid = await shop.executor.execute(confirm(payment))
    automatic = method is CaptureMethod.AUTOMATIC
    assert confirmed.payment.status is (PaymentStatus.CAPTURED if automatic else PaymentStatus.AUTHORIZED)
    assert await balances(shop.storage) == ((60, 40) if automatic else (60, 0))
    with pytest.raises(PaymentStateInvalid):
        await shop.executor.execute(confirm(payment))


async def test_a_request_that_names_nobody_is_whose_confirms_it(shop: Shop) -> None:
    payment = await shop.request(customer_id=None)
    await shop.executor.execute(register(7, currency=EUR))
    with pytest.raises(CurrencyMismatch):
        await shop.executor.execute(confirm(payment, customer=7))
    await shop.executor.execute(confirm(payment))
    assert (await shop.payment(payment)).customer_id == CUSTOMER


@pytest.mark.parametrize("method", CaptureMethod)
async def test_a_request_survives_a_confirmation_that_lacks_funds_and_is_then_confirmed(
    shop: Shop, method: CaptureMethod
) -> None:
    payment = await shop.request(101, capture=method)
    asked = await shop.payment(payment)
    shop.clock.advance(1)
    for key in ("first", "first", "second"):
        with pytest.raises(InsufficientFunds) as refused:
            await shop.executor.execute(confirm(payment), idempotency_key=key)
        assert refused.value.facts["payment_id"] == payment
    tried = await shop.payment(payment)
    expected = replace(asked, failure_code="insufficient_funds", version=3, updated_at=asked.created_at + SECOND)
    assert tried == expected
    await shop.executor.execute(deposit(usd(1)))
    with pytest.raises(InsufficientFunds):
        await shop.executor.execute(confirm(payment), idempotency_key="first")
    paid: Paid = await shop.executor.execute(confirm(payment), idempotency_key="third")
    status = PaymentStatus.CAPTURED if method is CaptureMethod.AUTOMATIC else PaymentStatus.AUTHORIZED
    assert (paid.payment.status, paid.payment.failure_code, paid.payment.version) == (status, None, 4)


async def test_a_stranger_without_funds_neither_binds_an_open_request_nor_is_named_by_it(shop: Shop) -> None:
    payment = await shop.request(customer_id=None)
    await shop.executor.execute(register(7))
    shop.watch.commits.clear()
    with pytest.raises(InsufficientFunds):
        await shop.executor.execute(confirm(payment, customer=7))
    [event] = [event for changes in shop.watch.commits for event in changes.events_new]
    tried = await shop.payment(payment)
    assert (tried.customer_id, tried.status) == (None, PaymentStatus.REQUIRES_CONFIRMATION)
    assert (event.type, event.object, event.sequence) == (EventType.PAYMENT_CONFIRMATION_FAILED, tried, 2)
    assert (event.customer_id, event.merchant_id) == (None, MERCHANT)
    confirmed: Paid = await shop.executor.execute(confirm(payment))
    assert (confirmed.payment.customer_id, confirmed.payment.version) == (CUSTOMER, 3)


async def test_a_request_that_was_tried_in_vain_is_canceled_or_expires(shop: Shop) -> None:
    canceled, expired = await shop.request(101), await shop.request(101)
    for payment in (canceled, expired):
        with pytest.raises(InsufficientFunds):
            await shop.executor.execute(confirm(payment))
    assert await shop.ask(cancel(canceled)) is EventType.PAYMENT_CANCELED
    shop.clock.advance(60)
    assert await shop.ask(ExpirePayment(payment_id=expired)) is EventType.PAYMENT_EXPIRED
    for payment in (canceled, expired):
        ended = await shop.payment(payment)
        assert (ended.failure_code, ended.version) == ("insufficient_funds", 3)


@pytest.mark.parametrize("by", [1, 2])
async def test_a_request_is_canceled_by_either(shop: Shop, by: int) -> None:
    payment = await shop.request()
    assert await shop.ask(cancel(payment, by=by)) is EventType.PAYMENT_CANCELED
    with pytest.raises(PaymentStateInvalid):
        await shop.executor.execute(confirm(payment))


async def test_a_request_expires(shop: Shop) -> None:
    payment = await shop.request()
    shop.clock.advance(60)
    with pytest.raises(PaymentExpired):
        await shop.executor.execute(confirm(payment))
    assert await shop.ask(ExpirePayment(payment_id=payment)) is EventType.PAYMENT_EXPIRED


async def test_a_request_is_between_users_that_exist(shop: Shop) -> None:
    refusals: list[tuple[Command[Any], type[Refusal]]] = [
        (a_request(customer_id=user_id(99)), UserNotFound),
        (a_request(merchant_id=user_id(99)), MerchantNotFound),
    ]
    for command, refusal in refusals:
        with pytest.raises(refusal):
            await shop.executor.execute(command)
    await shop.request(reference="order-1")
    with pytest.raises(DuplicateReference):
        await shop.request(reference="order-1")


async def test_refunds_give_back_in_parts_and_whole(shop: Shop) -> None:
    payment = (await shop.executor.execute(pay(usd(40)))).payment.id
    part = await shop.executor.execute(refund(payment, 15))
    assert (part.amount, part.reason, await balances(shop.storage)) == (usd(15), "cold", (75, 25))
    with pytest.raises(RefundAmountExceedsRemaining) as refused:
        await shop.executor.execute(refund(payment, 26))
    assert refused.value.facts == {"remaining": 25}
    rest = await shop.executor.execute(refund(payment))
    assert (rest.amount, await balances(shop.storage)) == (usd(25), (100, 0))
    assert await shop.storage.reader.refund(part.id) == part
    refunds = await shop.storage.reader.refunds(payment, before=None, limit=10)
    assert {found.id for found in refunds} == {part.id, rest.id}
    assert (await shop.payment(payment)).version == 3


async def test_a_refund_writes_an_event_of_its_own_and_one_of_the_payment(shop: Shop) -> None:
    payment = (await shop.executor.execute(pay(usd(40)))).payment.id
    await shop.ask(refund(payment))
    [changes] = shop.watch.commits
    assert [event.type for event in changes.events_new] == [EventType.PAYMENT_REFUNDED, EventType.REFUND_SUCCEEDED]
    assert [event.sequence for event in changes.events_new] == [2, 1]


async def test_nothing_is_refunded_that_was_not_captured(shop: Shop) -> None:
    payment = await shop.hold()
    with pytest.raises(PaymentNotRefundable):
        await shop.executor.execute(refund(payment))


async def test_a_merchant_refunds_only_what_they_have(shop: Shop) -> None:
    payment = (await shop.executor.execute(pay(usd(40)))).payment.id
    await shop.executor.execute(MakePayout(account_id=MERCHANT_ACCOUNT, amount=usd(1), owner_id=MERCHANT))
    with pytest.raises(MerchantInsufficientFunds):
        await shop.executor.execute(refund(payment))
    await shop.executor.execute(refund(payment, 39))
    assert await balances(shop.storage) == (99, 0)


async def test_a_stranger_finds_no_payment(shop: Shop) -> None:
    payment = await shop.hold()
    strangers: list[Command[Any]] = [
        CapturePayment(payment_id=payment, merchant_id=user_id(9)),
        RefundPayment(payment_id=payment, merchant_id=user_id(9)),
        capture(payment_id(99)),
        ExpirePayment(payment_id=payment_id(99)),
    ]
    for command in strangers:
        with pytest.raises(PaymentNotFound):
            await shop.executor.execute(command)


async def test_fees_are_kept_of_payments_and_captures(shop: Shop) -> None:
    assert await shop.ask(set_fees(1_000, 3)) is EventType.ACCOUNT_FEES_CHANGED
    assert await shop.ask(set_fees(1_000, 3)) is None
    paid = await shop.executor.execute(pay(usd(40)))
    assert (paid.payment.fee_amount_minor, paid.payment.net_amount_minor) == (7, 33)
    assert moves(paid.transaction) == [(TransferKind.POST, 40), (TransferKind.POST, 7)]
    payment = await shop.hold(60)
    for amount_minor in (5, 5, 20):
        await shop.executor.execute(capture(payment, amount_minor, final=False))
    await shop.executor.execute(capture(payment))
    assert (await shop.payment(payment)).fee_amount_minor == 9  # 10 % of 60, and 3 once.
    asked = await shop.request(1)
    with pytest.raises(InsufficientFunds):
        await shop.executor.execute(confirm(asked))
    assert (await balances(shop.storage), await shop.fees()) == ((0, 84), 16)


async def test_a_fee_is_kept_of_a_request_that_was_confirmed(shop: Shop) -> None:
    await shop.executor.execute(set_fees(0, 2))
    await shop.executor.execute(confirm(await shop.request(40)))
    assert (await balances(shop.storage), await shop.fees()) == ((60, 38), 2)


async def test_the_fee_goes_back_with_the_refunds_that_ask_for_it(shop: Shop) -> None:
    await shop.executor.execute(set_fees(1_000, 1))
    payment = (await shop.executor.execute(pay(usd(50)))).payment.id
    with pytest.raises(MerchantInsufficientFunds):
        await shop.executor.execute(refund(payment))
    shares = [
        (await shop.executor.execute(refund(payment, amount_minor, refund_fee=True))).fee_refunded_minor
        for amount_minor in (20, 20, 10)
    ]
    assert sum(shares) == 6
    assert (await balances(shop.storage), await shop.fees()) == ((100, 0), 0)
    whole = await shop.payment(payment)
    assert (whole.fee_amount_minor, whole.fee_refunded_minor, whole.net_amount_minor) == (0, 6, 0)


async def test_the_amount_of_a_refund_is_what_the_customer_gets(shop: Shop) -> None:
    await shop.executor.execute(set_fees(1_000, 0))
    payment = (await shop.executor.execute(pay(usd(50)))).payment.id
    made = await shop.executor.execute(refund(payment, refund_fee=True))
    transaction = await shop.storage.reader.transaction(made.transaction_id)
    assert transaction is not None
    assert (transaction.amount_minor, moves(transaction)) == (50, [(TransferKind.POST, 5), (TransferKind.POST, 50)])


async def test_only_merchants_are_charged(shop: Shop) -> None:
    await shop.executor.execute(register(7, Role.MERCHANT, EUR))
    refusals: list[tuple[SetFees, type[Refusal]]] = [
        (SetFees(merchant_id=CUSTOMER, currency=USD, fees=FeeSchedule(1, 1)), MerchantNotFound),
        (SetFees(merchant_id=user_id(7), currency=USD, fees=FeeSchedule(1, 1)), CurrencyMismatch),
    ]
    for command, refusal in refusals:
        with pytest.raises(refusal):
            await shop.executor.execute(command)


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


async def test_a_frozen_customer_authorizes_nothing_and_nothing_is_captured_of_theirs(shop: Shop) -> None:
    payment = await shop.hold(40)
    await shop.executor.execute(FreezeAccount(account_id=CUSTOMER_ACCOUNT))
    for command in (authorize(10), capture(payment)):
        with pytest.raises(AccountFrozen):
            await shop.executor.execute(command)
    await shop.executor.execute(cancel(payment))
    assert await shop.held() == 0


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
