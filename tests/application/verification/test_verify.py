"""The audit finds every kind of tampering, and names the row."""

from dataclasses import replace
from typing import Final, NamedTuple

import pytest

from gateway import FreezeAccount, MakeDeposit, OpenAccount, Pay, UnfreezeAccount
from gateway.adapters.memory import MemoryDatabase, memory_storage
from gateway.adapters.system.clock import system_clock
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.batch import Batch
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.verification.findings import NAMED_MAX, Finding, Findings
from gateway.application.verification.verify import Progress, verify
from gateway.domain.account import Account, AccountId, AccountKey, AccountKind, open_account, system_account
from gateway.domain.errors import InsufficientFunds
from gateway.domain.money import CurrencyCode, Money
from gateway.domain.payment import PaymentId
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.payment_terms import PaymentOrder
from gateway.domain.transaction import Transaction, TransactionId, TransactionType
from gateway.domain.transfer import BalanceAfter
from gateway.domain.user import UserId

USD: Final = CurrencyCode("USD")
CUSTOMER: Final = AccountKey(UserId("usr_ada"), USD, AccountKind.CUSTOMER)
MERCHANT: Final = AccountKey(UserId("usr_shop"), USD, AccountKind.MERCHANT)
FUNDING: Final = system_account(AccountKind.FUNDING, USD)


def usd(amount_minor: int) -> Money:
    return Money(amount_minor, USD)


def order(amount_minor: int) -> PaymentOrder:
    return PaymentOrder(
        customer_id=CUSTOMER.owner_id, merchant_id=MERCHANT.owner_id, amount=usd(amount_minor), metadata={}
    )


class Ledger(NamedTuple):
    """A small ledger, sound until a test tampers with it: 1000 in, 300 and 50 paid, 5000 refused."""

    database: MemoryDatabase
    paid: PaymentId
    failed: PaymentId

    def account(self, key: AccountKey) -> Account:
        return self.database.accounts[self.database.account_ids[key]]

    def change_account(self, key: AccountKey, **changes: object) -> str:
        account = self.account(key)
        self.database.accounts[account.id] = replace(account, **changes)  # type: ignore[arg-type]  # Tests name fields.
        return account.id

    def change_payment(self, payment_id: PaymentId, **changes: object) -> str:
        payment = self.database.payments[payment_id]
        self.database.payments[payment_id] = replace(payment, **changes)  # type: ignore[arg-type]  # As above.
        return payment_id

    def transaction(self, kind: TransactionType) -> Transaction:
        """The first of its type."""
        return next(found for found in self.database.transactions.values() if found.type is kind)

    def change_transaction(self, kind: TransactionType, **changes: object) -> str:
        transaction = self.transaction(kind)
        self.database.transactions[transaction.id] = replace(transaction, **changes)  # type: ignore[arg-type]  # As above.
        return transaction.id

    def change_transfer(self, kind: TransactionType, **changes: object) -> str:
        [transfer] = self.transaction(kind).transfers
        return self.change_transaction(kind, transfers=(replace(transfer, **changes),))  # type: ignore[arg-type]  # As above.


@pytest.fixture
async def ledger() -> Ledger:
    database = MemoryDatabase()
    batch = Batch(unit_of_work=memory_storage(database).unit_of_work, clock=system_clock, identifiers=time_ordered_id)
    executor = CommandExecutor(OneByOne(batch.run), time_ordered_id)
    customer = await executor.execute(OpenAccount(key=CUSTOMER))
    await executor.execute(OpenAccount(key=MERCHANT))
    await executor.execute(MakeDeposit(account_id=customer.id, amount=usd(1000), owner_id=None))
    await executor.execute(FreezeAccount(account_id=customer.id))
    await executor.execute(UnfreezeAccount(account_id=customer.id))
    paid = await executor.execute(Pay(order=order(300)))
    await executor.execute(Pay(order=order(50)))
    with pytest.raises(InsufficientFunds) as refused:
        await executor.execute(Pay(order=order(5000)))
    return Ledger(database, paid.payment.id, refused.value.facts["payment_id"])


async def verified(database: MemoryDatabase) -> Findings:
    async with memory_storage(database).audit() as audit:
        return await verify(audit)


async def test_a_sound_ledger_has_no_findings(ledger: Ledger) -> None:
    findings = await verified(ledger.database)

    assert findings.ok
    assert findings.named == []
    assert findings.read == {
        "accounts": 5,
        "status changes": 7,
        "transactions": 3,
        "payments": 3,
        "used quotes": 0,
        "payment events": 3,
        "audit records": 0,
        "new audit records": 3,
    }


async def test_an_empty_ledger_has_no_findings() -> None:
    assert (await verified(MemoryDatabase())).ok


async def test_money_written_into_an_account_is_found(ledger: Ledger) -> None:
    account_id = ledger.change_account(CUSTOMER, credits_posted=ledger.account(CUSTOMER).credits_posted + 1)

    await assert_found(ledger, ("account_counters", account_id), ("currency_totals", "USD"))


async def test_a_hold_that_no_transfer_made_is_found(ledger: Ledger) -> None:
    account_id = ledger.change_account(CUSTOMER, debits_pending=10)

    await assert_found(ledger, ("account_counters", account_id), ("currency_totals", "USD"))


async def test_money_moved_between_accounts_without_a_transfer_is_found(ledger: Ledger) -> None:
    customer_id = ledger.change_account(CUSTOMER, debits_posted=ledger.account(CUSTOMER).debits_posted + 5)
    merchant_id = ledger.change_account(MERCHANT, credits_posted=ledger.account(MERCHANT).credits_posted + 5)

    await assert_found(ledger, ("account_counters", customer_id), ("account_counters", merchant_id))


async def test_an_overdrawn_account_is_found(ledger: Ledger) -> None:
    account_id = ledger.change_account(CUSTOMER, debits_posted=1001)

    await assert_found(
        ledger, ("account_overdrawn", account_id), ("account_counters", account_id), ("currency_totals", "USD")
    )


async def test_the_outside_world_may_be_overdrawn(ledger: Ledger) -> None:
    assert ledger.account(FUNDING).available < 0

    await assert_found(ledger)


async def test_a_negative_counter_is_found(ledger: Ledger) -> None:
    account_id = ledger.change_account(MERCHANT, credits_pending=-1)

    await assert_found(
        ledger,
        ("account_counters_negative", account_id),
        ("account_counters", account_id),
        ("currency_totals", "USD"),
    )


async def test_a_version_that_no_change_made_is_found(ledger: Ledger) -> None:
    account_id = ledger.change_account(MERCHANT, version=ledger.account(MERCHANT).version + 1)

    [finding] = await assert_found(ledger, ("account_version_missing", account_id))
    assert finding.detail == "It is at version 4; no change made the version 4."


async def test_a_version_that_two_changes_claim_is_found(ledger: Ledger) -> None:
    [opened] = [event for event in ledger.database.events if event.object == first_version(ledger, MERCHANT)]
    ledger.database.events.append(opened)

    await assert_found(ledger, ("account_version_twice", ledger.account(MERCHANT).id))


async def test_a_version_beyond_the_accounts_own_is_found(ledger: Ledger) -> None:
    account_id = ledger.change_account(MERCHANT, version=ledger.account(MERCHANT).version - 1)

    await assert_found(ledger, ("account_version_unknown", account_id))


async def test_a_freeze_whose_event_is_gone_is_found(ledger: Ledger) -> None:
    customer_id = ledger.account(CUSTOMER).id
    remove_event(ledger, sequence=3, subject=customer_id)

    [finding, _] = await assert_found(
        ledger, ("account_version_missing", customer_id), ("account_balances", customer_id)
    )
    assert "no change made the version 3" in finding.detail


async def test_an_event_of_an_account_that_is_not_there_is_found(ledger: Ledger) -> None:
    fees_id = ledger.database.account_ids[system_account(AccountKind.FEES, USD)]
    del ledger.database.accounts[fees_id]

    await assert_found(ledger, ("account_missing", fees_id))


async def test_a_transaction_that_is_gone_is_found(ledger: Ledger) -> None:
    del ledger.database.transactions[ledger.transaction(TransactionType.DEPOSIT).id]

    await assert_found(
        ledger,
        *[
            (rule, ledger.account(key).id)
            for key in (CUSTOMER, FUNDING)
            for rule in ("account_counters", "account_version_missing")
        ],
        # The customer's later balances begin where the missing one ended; funding has no others.
        ("account_balances", ledger.account(CUSTOMER).id),
    )


async def test_a_transaction_that_moves_nothing_is_found(ledger: Ledger) -> None:
    empty = replace(ledger.transaction(TransactionType.PAYMENT), id=TransactionId("txn_empty"), transfers=())
    ledger.database.transactions[empty.id] = empty

    await assert_found(ledger, ("transaction_empty", "txn_empty"))


async def test_a_transfer_to_an_account_that_is_not_there_is_found(ledger: Ledger) -> None:
    ledger.change_transfer(TransactionType.DEPOSIT, debit_account_id=AccountId("acc_nowhere"))

    funding_id = ledger.account(FUNDING).id
    await assert_found(
        ledger,
        ("account_missing", "acc_nowhere"),
        ("account_counters", funding_id),
        ("account_version_missing", funding_id),
    )


async def test_a_transfer_whose_amount_was_changed_is_found(ledger: Ledger) -> None:
    ledger.change_transfer(TransactionType.DEPOSIT, amount_minor=999)

    ids = [ledger.account(key).id for key in (CUSTOMER, FUNDING)]
    await assert_found(
        ledger, *[(rule, account_id) for account_id in ids for rule in ("account_counters", "account_balances")]
    )


async def test_a_transfer_of_nothing_is_found(ledger: Ledger) -> None:
    transaction_id = ledger.change_transfer(TransactionType.DEPOSIT, amount_minor=0)

    assert ("transfer_amount", transaction_id) in named(await verified(ledger.database))


async def test_a_transfer_within_one_account_is_found(ledger: Ledger) -> None:
    transaction_id = ledger.change_transfer(TransactionType.PAYMENT, credit_account_id=ledger.account(CUSTOMER).id)

    assert ("transfer_same_account", transaction_id) in named(await verified(ledger.database))


async def test_a_transfer_in_another_currency_than_its_accounts_is_found(ledger: Ledger) -> None:
    transaction_id = ledger.change_transfer(TransactionType.DEPOSIT, currency=CurrencyCode("EUR"))

    await assert_found(ledger, ("transfer_currency", transaction_id), ("transfer_currency", transaction_id))


async def test_a_balance_that_a_transfer_recorded_wrongly_is_found(ledger: Ledger) -> None:
    """Also in the middle of a history, where later balances are right."""
    [transfer] = ledger.transaction(TransactionType.PAYMENT).transfers
    wrong = BalanceAfter(posted=transfer.debit_after.posted - 1, held=0, version=transfer.debit_after.version)
    assert wrong.version < ledger.account(CUSTOMER).version
    ledger.change_transfer(TransactionType.PAYMENT, debit_after=wrong)

    await assert_found(ledger, ("account_balances", ledger.account(CUSTOMER).id))


async def test_the_last_recorded_balance_must_be_the_accounts(ledger: Ledger) -> None:
    deposit = ledger.transaction(TransactionType.DEPOSIT).transfers[0]
    assert deposit.debit_after.version == ledger.account(FUNDING).version
    ledger.change_transfer(
        TransactionType.DEPOSIT, debit_after=BalanceAfter(posted=-999, held=0, version=deposit.debit_after.version)
    )

    await assert_found(ledger, ("account_balances", ledger.account(FUNDING).id))


@pytest.mark.parametrize("kind", [TransactionType.DEPOSIT, TransactionType.PAYMENT])
async def test_a_transaction_between_the_wrong_parties_is_found(ledger: Ledger, kind: TransactionType) -> None:
    transaction_id = ledger.change_transaction(kind, customer_id=UserId("usr_eve"))

    found = named(await verified(ledger.database))
    assert ("transaction_parties", transaction_id) in found


async def test_a_payment_that_captured_more_than_its_amount_is_found(ledger: Ledger) -> None:
    ledger.change_payment(ledger.paid, amount_captured_minor=301)

    await assert_found(
        ledger,
        ("payment_captured", ledger.paid),
        ("payment_status", ledger.paid),
        ("payment_transactions", ledger.paid),
    )


async def test_a_payment_that_refunded_more_than_it_captured_is_found(ledger: Ledger) -> None:
    ledger.change_payment(ledger.paid, amount_refunded_minor=301)

    await assert_found(ledger, ("payment_refunded", ledger.paid), ("payment_transactions", ledger.paid))


async def test_a_fee_above_what_was_captured_is_found(ledger: Ledger) -> None:
    ledger.change_payment(ledger.paid, fee_amount_minor=301)

    await assert_found(ledger, ("payment_fee", ledger.paid), ("payment_transactions", ledger.paid))


async def test_a_captured_payment_without_its_money_is_found(ledger: Ledger) -> None:
    ledger.change_payment(ledger.failed, status=PaymentStatus.CAPTURED, failure_code=None, amount_captured_minor=5000)

    await assert_found(ledger, ("payment_transactions", ledger.failed))


async def test_a_failed_payment_whose_money_moved_is_found(ledger: Ledger) -> None:
    ledger.change_payment(
        ledger.paid, status=PaymentStatus.FAILED, failure_code="insufficient_funds", amount_captured_minor=0
    )

    await assert_found(ledger, ("payment_transactions", ledger.paid))


async def test_a_failed_payment_that_counts_something_as_captured_is_found(ledger: Ledger) -> None:
    ledger.change_payment(ledger.failed, amount_captured_minor=1)

    await assert_found(ledger, ("payment_status", ledger.failed), ("payment_transactions", ledger.failed))


@pytest.mark.parametrize("status", [PaymentStatus.REQUIRES_CONFIRMATION, PaymentStatus.CANCELED, PaymentStatus.EXPIRED])
async def test_a_failure_code_without_a_failed_confirmation_is_found(ledger: Ledger, status: PaymentStatus) -> None:
    ledger.change_payment(ledger.failed, status=status)

    await assert_found(ledger, ("payment_status", ledger.failed))


async def test_a_failure_code_of_a_captured_payment_is_found(ledger: Ledger) -> None:
    ledger.change_payment(ledger.paid, failure_code="insufficient_funds")

    await assert_found(ledger, ("payment_status", ledger.paid))


async def test_a_payment_over_another_amount_than_its_transaction_is_found(ledger: Ledger) -> None:
    ledger.change_payment(ledger.paid, amount=usd(299), amount_captured_minor=299)

    await assert_found(ledger, ("payment_transactions", ledger.paid))


async def test_a_payment_that_is_paid_twice_is_found(ledger: Ledger) -> None:
    copy = replace(ledger.transaction(TransactionType.PAYMENT), id=TransactionId("txn_copy"))
    ledger.database.transactions[copy.id] = copy

    assert ("payment_transactions", ledger.paid) in named(await verified(ledger.database))


async def test_a_transaction_of_a_payment_that_is_not_there_is_found(ledger: Ledger) -> None:
    del ledger.database.payments[ledger.paid]

    await assert_found(ledger, ("payment_missing", ledger.paid))


async def test_a_payment_whose_event_is_gone_is_found(ledger: Ledger) -> None:
    remove_event(ledger, sequence=1, subject=ledger.paid)

    await assert_found(ledger, ("payment_events", ledger.paid))


async def test_a_payment_whose_event_came_twice_is_found(ledger: Ledger) -> None:
    [event] = [event for event in ledger.database.events if event.object.id == ledger.failed]
    ledger.database.events.append(event)

    await assert_found(ledger, ("payment_events", ledger.failed))


@pytest.mark.parametrize("version", [0, 2, 2**62])
async def test_a_payment_of_a_version_that_no_event_tells_of_is_found(ledger: Ledger, version: int) -> None:
    ledger.change_payment(ledger.paid, version=version)

    findings = await verified(ledger.database)
    assert ledger.paid in {finding.subject for finding in findings.named}


async def test_findings_are_counted_all_and_named_up_to_a_limit(ledger: Ledger) -> None:
    payment = ledger.database.payments[ledger.paid]
    for number in range(NAMED_MAX + 50):
        copy = PaymentId(f"pay_{number}")
        ledger.database.payments[copy] = replace(payment, id=copy, fee_amount_minor=-1)

    findings = await verified(ledger.database)

    assert len(findings.named) == NAMED_MAX
    # Each copy has a fee below zero, no transaction and no event.
    assert findings.count == 3 * (NAMED_MAX + 50)


async def test_progress_is_told_for_every_step(ledger: Ledger) -> None:
    told: list[Progress] = []
    async with memory_storage(ledger.database).audit() as audit:
        await verify(audit, told.append)

    assert told == [
        Progress("accounts", 0, 5),
        Progress("accounts", 5, 5),
        Progress("status changes", 0, None),
        Progress("status changes", 7, None),
        Progress("transactions", 0, 3),
        Progress("transactions", 3, 3),
        Progress("payments", 0, None),
        Progress("payments", 3, None),
        Progress("used quotes", 0, None),
        Progress("used quotes", 0, None),
        Progress("payment events", 0, None),
        Progress("payment events", 3, None),
        Progress("audit records", 0, None),
        Progress("audit records", 0, None),
        Progress("new audit records", 0, None),
        Progress("new audit records", 3, None),
    ]


def named(findings: Findings) -> list[tuple[str, str]]:
    return [(finding.rule, finding.subject) for finding in findings.named]


async def assert_found(ledger: Ledger, *expected: tuple[str, str]) -> list[Finding]:
    """These rows were named for these rules, and no others."""
    findings = await verified(ledger.database)
    assert sorted(named(findings)) == sorted(expected)
    assert findings.count == len(expected)
    return findings.named


def first_version(ledger: Ledger, key: AccountKey) -> Account:
    account = ledger.account(key)
    return open_account(key, account_id=account.id, now=account.created_at)


def remove_event(ledger: Ledger, *, sequence: int, subject: str) -> None:
    [event] = [found for found in ledger.database.events if (found.object.id, found.sequence) == (subject, sequence)]
    ledger.database.events.remove(event)
