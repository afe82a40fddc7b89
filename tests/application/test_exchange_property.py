"""For any amounts, rates and fees, payments and refunds with quotes keep every minor unit."""

from dataclasses import dataclass
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from application.bureau import payment_with
from gateway import MakeQuote, RefundPayment, SetFees
from gateway.adapters.memory import MemoryDatabase, memory_storage
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.ports.storage import Storage
from gateway.application.verification.verify import verify
from gateway.contracts.records import a_rate
from gateway.domain.account import AccountKey, AccountKind, system_account
from gateway.domain.conversion import converted
from gateway.domain.errors import (
    Refusal,
)
from gateway.domain.fees import FeeSchedule
from gateway.domain.money import Money, currency_code
from gateway.domain.payment import Payment
from gateway.domain.rate import CurrencyPair, rate_of
from gateway.domain.user import Role
from support.builders import (
    CUSTOMER,
    MERCHANT,
    a_batch,
    deposit,
    register,
)

CURRENCIES = [currency_code(code) for code in ("JPY", "USD", "KWD", "CLF")]


@settings(deadline=None)
@given(data=st.data())
async def test_whatever_is_paid_and_refunded_no_minor_unit_is_made_or_lost(data: st.DataObject) -> None:
    """In currencies of 0, 2, 3 and 4 decimals, at any rate and spread, with fees, in any parts."""
    pair = CurrencyPair(*data.draw(st.sampled_from(list(permutations(CURRENCIES, 2)))))
    rate = a_rate(
        *pair,
        rate=rate_of(f"{data.draw(st.decimals('0.001', 1_000, places=12)):f}"),
        spread_basis_points=data.draw(st.integers(0, 9_000)),
    )
    amount = Money(data.draw(st.integers(1, 10**7)), data.draw(st.sampled_from(pair)))
    try:
        expected = converted(amount, rate)
    except Refusal:
        return
    ledger = await Ledger.opened(pair, expected.source, FeeSchedule(data.draw(st.integers(0, 1_000)), 1))
    quote = await ledger.executor.execute(MakeQuote(customer_id=CUSTOMER, pair=pair, amount=amount, rate=rate))
    paid = await ledger.executor.execute(payment_with(quote.id, amount=quote.target))
    customer = AccountKey(CUSTOMER, pair.source, AccountKind.CUSTOMER)
    merchant = AccountKey(MERCHANT, pair.target, AccountKind.MERCHANT)
    fee = paid.payment.fee_amount_minor
    assert ledger.posted(customer, merchant) == [0, quote.target.amount_minor - fee]
    await ledger.fund(merchant, fee)
    left = quote.target.amount_minor
    for _ in range(data.draw(st.integers(0, 4))):
        if left > 1:
            part = data.draw(st.integers(1, left - 1))
            await ledger.refund(paid.payment, part, refund_fee=data.draw(st.booleans()))
            left -= part
    await ledger.refund(paid.payment, None, refund_fee=True)
    assert ledger.posted(customer) == [quote.source.amount_minor]
    exchange = [system_account(AccountKind.EXCHANGE, currency) for currency in pair]
    assert ledger.posted(*exchange, system_account(AccountKind.FEES, pair.source)) == [0, 0, 0]
    async with ledger.storage.audit() as audit:
        assert (await verify(audit)).named == []


@dataclass(frozen=True)
class Ledger:
    """A customer with money in one currency, and a merchant in another."""

    executor: CommandExecutor
    storage: Storage
    database: MemoryDatabase

    @staticmethod
    async def opened(pair: CurrencyPair, balance: Money, fees: FeeSchedule) -> "Ledger":
        database = MemoryDatabase()
        storage = memory_storage(database)
        executor = CommandExecutor(OneByOne(a_batch(storage).run), time_ordered_id)
        customer = (await executor.execute(register(1, Role.CUSTOMER, pair.source))).accounts[0]
        await executor.execute(register(2, Role.MERCHANT, pair.target))
        await executor.execute(SetFees(merchant_id=MERCHANT, currency=pair.target, fees=fees))
        await executor.execute(deposit(balance, customer.id))
        return Ledger(executor, storage, database)

    def posted(self, *keys: AccountKey) -> list[int]:
        return [self.database.accounts[self.database.account_ids[key]].posted for key in keys]

    async def fund(self, key: AccountKey, amount_minor: int) -> None:
        """So that what was kept as a fee does not stand in the way of a whole refund."""
        if amount_minor:
            await self.executor.execute(deposit(Money(amount_minor, key.currency), self.database.account_ids[key]))

    async def refund(self, payment: Payment, amount_minor: int | None, *, refund_fee: bool) -> None:
        await self.executor.execute(
            RefundPayment(payment_id=payment.id, merchant_id=MERCHANT, amount_minor=amount_minor, refund_fee=refund_fee)
        )
