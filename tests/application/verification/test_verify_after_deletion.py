"""The audit of a ledger whose first events were deleted: sound wherever deletion ended, and faults are still found."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import pytest

from gateway import (
    CapturePayment,
    FreezeAccount,
    MakeDeposit,
    OpenAccount,
    Pay,
    RefundPayment,
    UnfreezeAccount,
    in_memory_gateway,
)
from gateway.adapters.memory import MemoryDatabase
from gateway.application.gateway import Gateway
from gateway.application.verification.findings import Findings
from gateway.application.verification.verify import verify
from gateway.domain.account import Account, AccountKey, AccountKind
from gateway.domain.event import Event
from gateway.domain.event_type import EventType
from gateway.domain.money import CurrencyCode, Money
from gateway.domain.payment import CaptureMethod, Payment, PaymentId
from gateway.domain.payment_terms import PaymentOrder
from gateway.domain.user import UserId
from support.virtual_time import BEGINNING

USD: Final = CurrencyCode("USD")
CUSTOMER: Final = AccountKey(UserId("usr_ada"), USD, AccountKind.CUSTOMER)
MERCHANT: Final = AccountKey(UserId("usr_shop"), USD, AccountKind.MERCHANT)
HOUR: Final = timedelta(hours=1)


@dataclass
class Shop:
    """A ledger whose history takes some hours: one for each command."""

    database: MemoryDatabase
    gateway: Gateway

    async def delete_events(self, count: int) -> None:
        """Delete the first events."""
        until = self.database.events_deleted + count
        await self.gateway.storage.housekeeping.delete_events(before=BEGINNING + 999 * HOUR, until=until, limit=999)

    async def verify(self) -> Findings:
        async with self.gateway.storage.audit() as audit:
            return await verify(audit)

    async def rules(self) -> set[str]:
        return {finding.rule for finding in (await self.verify()).named}

    def last(self, type_: EventType) -> Event:
        return [event for event in self.database.events if event.type is type_][-1]


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    """Two accounts, frozen now and then; three payments, one of them held, captured in parts, and refunded."""
    now = [BEGINNING]

    def clock() -> datetime:
        return now[0]

    database = MemoryDatabase()
    async with in_memory_gateway(database=database, clock=clock, one_by_one=True) as gateway:

        def an_hour_later() -> Gateway:
            now[0] += HOUR
            return gateway

        async def pay(amount_minor: int, *, held: bool = False) -> PaymentId:
            order = PaymentOrder(
                customer_id=CUSTOMER.owner_id,
                merchant_id=shop_id,
                amount=Money(amount_minor, USD),
                metadata={},
                capture=CaptureMethod.MANUAL if held else CaptureMethod.AUTOMATIC,
            )
            return (await an_hour_later().execute(Pay(order=order))).payment.id

        shop_id = MERCHANT.owner_id
        ada = (await an_hour_later().execute(OpenAccount(key=CUSTOMER))).id
        till = (await an_hour_later().execute(OpenAccount(key=MERCHANT))).id
        await an_hour_later().execute(MakeDeposit(account_id=ada, amount=Money(1_000, USD), owner_id=None))
        await an_hour_later().execute(FreezeAccount(account_id=till))
        first = await pay(100)
        held = await pay(200, held=True)
        await an_hour_later().execute(UnfreezeAccount(account_id=till))
        capture = CapturePayment(payment_id=held, merchant_id=shop_id, amount_minor=50, final=False)
        await an_hour_later().execute(capture)
        await an_hour_later().execute(FreezeAccount(account_id=ada))
        await an_hour_later().execute(UnfreezeAccount(account_id=ada))
        await pay(30)
        await an_hour_later().execute(RefundPayment(payment_id=first, merchant_id=shop_id, amount_minor=10))
        await an_hour_later().execute(CapturePayment(payment_id=held, merchant_id=shop_id))
        await an_hour_later().execute(RefundPayment(payment_id=held, merchant_id=shop_id))
        yield Shop(database, gateway)


async def test_a_sound_ledger_is_sound_wherever_deletion_has_ended(shop: Shop) -> None:
    assert (await shop.verify()).ok
    while len(shop.database.events) > 1:
        await shop.delete_events(1)
        findings = await shop.verify()
        assert findings.ok, (len(shop.database.events), findings.named)


async def test_a_missing_event_is_found_among_those_that_are_kept(shop: Shop) -> None:
    everything = list(shop.database.events)
    found: set[tuple[EventType, str]] = set()
    for deleted in range(1, len(everything) - 2):
        await shop.delete_events(1)
        kept = list(shop.database.events)
        kept_since = shop.database.events_kept_since
        assert kept_since is not None
        for missing in kept:
            is_audited = isinstance(missing.object, Payment | Account)
            if is_audited and missing.created_at >= kept_since:
                shop.database.events.remove(missing)
                rules = await shop.rules()
                shop.database.events[:] = kept
                of_object = [event for event in kept if event.object.id == missing.object.id]
                # The first kept event of an older object may have been the last deleted one, for all that is known.
                may_be_deleted = missing is of_object[0] and missing.object.created_at < kept_since
                assert rules or may_be_deleted, (deleted, missing.type)
                found |= {(missing.type, rule) for rule in rules}
    assert (EventType.ACCOUNT_UNFROZEN, "account_version_missing") in found
    assert (EventType.PAYMENT_CAPTURED, "payment_events") in found


async def test_an_event_that_is_there_twice_is_found(shop: Shop) -> None:
    await shop.delete_events(6)
    shop.database.events.append(shop.last(EventType.PAYMENT_CAPTURED))
    assert await shop.rules() == {"payment_events"}


async def test_an_event_of_a_version_that_a_payment_never_had_is_found(shop: Shop) -> None:
    await shop.delete_events(6)
    event = shop.last(EventType.PAYMENT_CAPTURED)
    shop.database.events.append(replace(event, sequence=event.sequence + 10))
    assert await shop.rules() == {"payment_events"}


async def test_missing_transactions_are_found_after_all_events_but_one_were_deleted(shop: Shop) -> None:
    """Also by the balances, where the versions alone could as well be of deleted events."""
    await shop.delete_events(len(shop.database.events) - 1)
    transactions = dict(shop.database.transactions)
    for transaction in transactions.values():
        del shop.database.transactions[transaction.id]
        rules = await shop.rules()
        shop.database.transactions[transaction.id] = transaction
        assert "account_counters" in rules
        assert rules & {"account_balances", "payment_transactions"}
    assert (await shop.verify()).ok


async def test_changed_balances_of_old_transfers_are_found(shop: Shop) -> None:
    await shop.delete_events(len(shop.database.events) - 1)
    for transaction in list(shop.database.transactions.values()):
        [*others, transfer] = transaction.transfers
        after = transfer.credit_after._replace(posted=transfer.credit_after.posted + 1)
        changed = (*others, replace(transfer, credit_after=after))
        shop.database.transactions[transaction.id] = replace(transaction, transfers=changed)
        assert "account_balances" in await shop.rules()
        shop.database.transactions[transaction.id] = transaction
