"""The audit finds every kind of tampering with payments across currencies, and names the row."""

from dataclasses import replace
from typing import NamedTuple

import pytest

from gateway import MakeQuote, Pay, RefundPayment, SetFees
from gateway.adapters.memory import MemoryDatabase, memory_storage
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.verification.verify import verify
from gateway.contracts.records import EUR, USD, a_rate
from gateway.domain.account import AccountKind
from gateway.domain.fees import FeeSchedule
from gateway.domain.money import Money
from gateway.domain.payment import Payment, PaymentId, QuoteId
from gateway.domain.payment_terms import PaymentOrder
from gateway.domain.quote import Quote
from gateway.domain.transaction import TransactionType
from gateway.domain.transfer import Transfer
from gateway.domain.user import Role
from support.builders import CUSTOMER, MERCHANT, a_batch, deposit, register, usd


class Ledger(NamedTuple):
    """A sound ledger: one payment across currencies, refunded in part; one without a quote; a quote nobody used."""

    database: MemoryDatabase
    across: PaymentId
    plain: PaymentId
    used: QuoteId
    unused: QuoteId

    @property
    def quote(self) -> Quote:
        return self.database.quotes[self.used]

    @property
    def payment(self) -> Payment:
        return self.database.payments[self.across]

    def change_quote(self, **changes: object) -> None:
        self.database.quotes[self.used] = replace(self.quote, **changes)  # type: ignore[arg-type]  # Tests name fields.

    def change_payment(self, payment_id: PaymentId, **changes: object) -> None:
        payment = self.database.payments[payment_id]
        self.database.payments[payment_id] = replace(payment, **changes)  # type: ignore[arg-type]  # As above.

    def kind_of(self, transfer: Transfer) -> tuple[AccountKind, AccountKind]:
        accounts = self.database.accounts
        return accounts[transfer.debit_account_id].kind, accounts[transfer.credit_account_id].kind

    def drop_transfer(self, kind: TransactionType, *between: AccountKind) -> None:
        """Take a transfer of the payment across out of its transaction."""
        for transaction in self.database.transactions.values():
            if transaction.type is kind and transaction.payment_id == self.across:
                left = tuple(each for each in transaction.transfers if self.kind_of(each) != between)
                assert len(left) < len(transaction.transfers)
                self.database.transactions[transaction.id] = replace(transaction, transfers=left)


@pytest.fixture
async def ledger() -> Ledger:
    database = MemoryDatabase()
    executor = CommandExecutor(OneByOne(a_batch(memory_storage(database)).run), time_ordered_id)
    customer = (await executor.execute(register(1, Role.CUSTOMER, EUR))).accounts[0]
    merchant = (await executor.execute(register(2, Role.MERCHANT, USD))).accounts[0]
    await executor.execute(SetFees(merchant_id=MERCHANT, currency=USD, fees=FeeSchedule(100, 0)))
    await executor.execute(deposit(Money(10_000, EUR), customer.id))
    await executor.execute(deposit(usd(1), merchant.id))
    rate = a_rate(EUR, USD)
    asked = MakeQuote(customer_id=CUSTOMER, pair=rate.pair, amount=usd(1_000), rate=rate)
    used, unused = await executor.execute(asked), await executor.execute(asked)
    order = PaymentOrder(customer_id=CUSTOMER, merchant_id=MERCHANT, amount=usd(1_000), metadata={}, quote_id=used.id)
    across = (await executor.execute(Pay(order=order))).payment.id
    await executor.execute(RefundPayment(payment_id=across, merchant_id=MERCHANT, amount_minor=300, refund_fee=True))
    # In the currency of the merchant, by somebody who has an account in it.
    dollars = (await executor.execute(register(3, Role.CUSTOMER, USD))).accounts[0]
    await executor.execute(deposit(usd(500), dollars.id))
    local = PaymentOrder(customer_id=dollars.owner_id, merchant_id=MERCHANT, amount=usd(100), metadata={})
    plain = (await executor.execute(Pay(order=local))).payment.id
    return Ledger(database, across, plain, used.id, unused.id)


async def found_in(ledger: Ledger) -> set[tuple[str, str]]:
    """The rules that were broken, and by what."""
    async with memory_storage(ledger.database).audit() as audit:
        return {(finding.rule, finding.subject) for finding in (await verify(audit)).named}


async def test_a_sound_ledger_has_no_findings(ledger: Ledger) -> None:
    assert await found_in(ledger) == set()


async def test_a_quote_that_says_another_source_than_was_paid_is_found(ledger: Ledger) -> None:
    ledger.change_quote(source=Money(ledger.quote.source.amount_minor + 1, EUR))
    assert await found_in(ledger) == {("payment_transactions", ledger.across)}


async def test_a_quote_that_says_another_spread_than_was_kept_is_found(ledger: Ledger) -> None:
    ledger.change_quote(spread_minor=ledger.quote.spread_minor + 1)
    assert await found_in(ledger) == {("payment_transactions", ledger.across)}


async def test_a_quote_for_another_target_than_was_paid_is_found(ledger: Ledger) -> None:
    ledger.change_quote(target=usd(999))
    assert ("quote_payment", ledger.used) in await found_in(ledger)


async def test_a_quote_of_another_customer_is_found(ledger: Ledger) -> None:
    ledger.change_quote(customer_id=MERCHANT)
    assert await found_in(ledger) == {("quote_payment", ledger.used)}


async def test_a_quote_used_by_a_payment_that_is_not_there_is_found(ledger: Ledger) -> None:
    ledger.change_quote(payment_id=PaymentId("pay_nowhere"))
    assert await found_in(ledger) == {
        ("quote_payment", ledger.used),
        ("payment_quote", ledger.across),
        ("payment_transactions", ledger.across),
    }


async def test_a_quote_that_was_used_and_says_it_was_not_is_found(ledger: Ledger) -> None:
    ledger.change_quote(payment_id=None)
    assert await found_in(ledger) == {("payment_quote", ledger.across), ("payment_transactions", ledger.across)}


async def test_a_quote_that_is_gone_is_found(ledger: Ledger) -> None:
    del ledger.database.quotes[ledger.used]
    assert await found_in(ledger) == {("payment_quote", ledger.across), ("payment_transactions", ledger.across)}


async def test_a_quote_that_two_payments_used_is_found(ledger: Ledger) -> None:
    ledger.change_payment(ledger.plain, quote_id=ledger.used)
    assert await found_in(ledger) == {("payment_quote", ledger.plain)}


async def test_a_payment_that_used_two_quotes_is_found(ledger: Ledger) -> None:
    ledger.database.quotes[ledger.unused] = ledger.database.quotes[ledger.unused].used_by(ledger.across)
    assert ("payment_quote", ledger.across) in await found_in(ledger)


async def test_a_payment_across_that_names_no_quote_is_found(ledger: Ledger) -> None:
    ledger.change_payment(ledger.across, quote_id=None)
    assert await found_in(ledger) == {("payment_quote", ledger.across)}


async def test_a_payment_whose_money_came_out_of_the_exchange_without_a_quote_is_found(ledger: Ledger) -> None:
    ledger.change_quote(payment_id=None)
    ledger.change_payment(ledger.across, quote_id=None)
    assert await found_in(ledger) == {("payment_transactions", ledger.across)}


@pytest.mark.parametrize(
    ("kind", "debit", "credit"),
    [
        (TransactionType.PAYMENT, AccountKind.CUSTOMER, AccountKind.EXCHANGE),
        (TransactionType.PAYMENT, AccountKind.EXCHANGE, AccountKind.MERCHANT),
        (TransactionType.PAYMENT, AccountKind.EXCHANGE, AccountKind.FEES),
        (TransactionType.PAYMENT, AccountKind.MERCHANT, AccountKind.FEES),
        (TransactionType.REFUND, AccountKind.MERCHANT, AccountKind.EXCHANGE),
        (TransactionType.REFUND, AccountKind.EXCHANGE, AccountKind.CUSTOMER),
        (TransactionType.REFUND, AccountKind.FEES, AccountKind.EXCHANGE),
    ],
)
async def test_a_transfer_that_is_gone_is_found(
    ledger: Ledger, kind: TransactionType, debit: AccountKind, credit: AccountKind
) -> None:
    ledger.drop_transfer(kind, debit, credit)
    found = await found_in(ledger)
    assert ("payment_transactions", ledger.across) in found
    assert "account_counters" in {rule for rule, _ in found}


async def test_money_between_the_exchange_and_somebody_else_is_found(ledger: Ledger) -> None:
    for transaction in list(ledger.database.transactions.values()):
        if transaction.payment_id == ledger.across:
            wrong = replace(transaction, type=TransactionType.HOLD)
            ledger.database.transactions[transaction.id] = wrong
            assert ("transaction_parties", transaction.id) in await found_in(ledger)
