"""What every storage promises about quotes, and about payments that use them."""

import asyncio
from datetime import timedelta

import pytest

from gateway.application.ports.reader import UsedQuote
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, KeyTaken, Records, Wanted
from gateway.contracts.records import (
    EUR,
    JPY,
    NOW,
    USD,
    a_payment,
    a_quote,
    an_account,
    commit,
    load,
    payment_id,
    quote_id,
    user_id,
)
from gateway.contracts.unit_of_work.support import run_again
from gateway.domain.account import Account, AccountId, AccountKind
from gateway.domain.money import AMOUNT_MINOR_MAX, CurrencyCode, Money
from gateway.domain.payment import PaymentId
from gateway.domain.quote import SpreadRefund
from gateway.domain.rate import rate_of
from gateway.domain.user import SYSTEM

TIMEOUT_SECONDS = 30
"""Longer than any storage may take, shorter than for ever: a deadlock fails, and does not hang."""


def of_the_gateway(number: int, kind: AccountKind, currency: CurrencyCode) -> Account:
    """An account of the gateway's own."""
    return an_account(number, owner_id=SYSTEM, kind=kind, currency=currency)


CUSTOMER = an_account(1, owner_id=user_id(1), currency=EUR)
MERCHANT = an_account(2, owner_id=user_id(2), kind=AccountKind.MERCHANT, currency=USD)
ACROSS = {account.id: account for account in (CUSTOMER, of_the_gateway(3, AccountKind.EXCHANGE, EUR))} | {
    account.id: account
    for account in (of_the_gateway(4, AccountKind.EXCHANGE, USD), of_the_gateway(5, AccountKind.FEES, EUR))
}
"""What comes along with quote 1."""
OTHERS = [
    an_account(6, owner_id=user_id(1), currency=USD),
    of_the_gateway(7, AccountKind.FEES, USD),
    of_the_gateway(8, AccountKind.FUNDING, EUR),
    of_the_gateway(9, AccountKind.EXCHANGE, JPY),
    an_account(10, owner_id=user_id(3), currency=EUR),
]
ALL = [MERCHANT, *ACROSS.values(), *OTHERS]


class QuotesContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    async def test_a_quote_comes_back_with_every_field(self, storage: Storage) -> None:
        """Whether it was used or not; one that does not exist is none."""
        plain = a_quote(1)
        full = a_quote(
            2,
            source=Money(AMOUNT_MINOR_MAX, JPY),
            target=Money(AMOUNT_MINOR_MAX, USD),
            spread_minor=AMOUNT_MINOR_MAX,
            rate=rate_of("999999999.999999999999"),
            spread_basis_points=10_000,
            payment_id=payment_id(7),
            version=2,
            refundable_until=NOW + timedelta(days=90),
            spread_refund=SpreadRefund.NEVER,
        )
        with_fee = a_quote(4, spread_refund=SpreadRefund.WITH_FEE)
        await commit(storage, Changes(quotes_new=[plain, full, with_fee]))
        for quote in (plain, full, with_fee):
            assert await storage.reader.quote(quote.id) == quote
            assert (await load(storage, Wanted(quotes=[quote.id]))).quotes == (quote,)
        assert await storage.reader.quote(quote_id(3)) is None
        assert await load(storage, Wanted(quotes=[quote_id(3)])) == Records()

    async def test_a_quote_that_is_used_says_by_which_payment(self, storage: Storage) -> None:
        """And the payment says which quote it used: from its beginning, or once it is confirmed."""
        await commit(storage, Changes(quotes_new=[a_quote(1), a_quote(2)], payments_new=[a_payment(2)]))
        first, second = a_quote(1).used_by(payment_id(1)), a_quote(2).used_by(payment_id(2))
        confirmed = a_payment(2, quote_id=second.id, version=2)
        await commit(
            storage,
            Changes(
                payments_new=[a_payment(1, quote_id=first.id)],
                payments_changed=[confirmed],
                quotes_changed=[first, second],
            ),
            Wanted(quotes=[first.id, second.id], payments=[payment_id(2)]),
        )
        assert await storage.reader.quote(first.id) == first
        assert await storage.reader.quote(second.id) == second
        assert await storage.reader.payment(payment_id(1)) == a_payment(1, quote_id=first.id)
        assert await storage.reader.payment(payment_id(2)) == confirmed

    async def test_the_accounts_of_an_exchange_come_along_with_its_quote(self, storage: Storage) -> None:
        """The customer's in the source currency, the exchange's in both, and that for fees; and no others."""
        await commit(storage, Changes(accounts_new=ALL, quotes_new=[a_quote(1), a_quote(2, spread_minor=0)]))
        assert accounts_in(await load(storage, Wanted(quotes=[quote_id(1)]))) == ACROSS
        without_spread = {key: account for key, account in ACROSS.items() if account.kind is not AccountKind.FEES}
        assert accounts_in(await load(storage, Wanted(quotes=[quote_id(2)]))) == without_spread

    async def test_a_payments_quote_comes_along_with_it(self, storage: Storage) -> None:
        """With its accounts, and the merchant's. A payment without a quote brings nothing of it."""
        quote = a_quote(1).used_by(payment_id(1))
        paid = a_payment(1, quote_id=quote.id)
        await commit(storage, Changes(accounts_new=ALL, quotes_new=[quote], payments_new=[paid, a_payment(2)]))
        found = await load(storage, Wanted(payments=[paid.id]))
        assert found.quotes == (quote,)
        assert accounts_in(found).keys() >= {MERCHANT.id, *ACROSS}
        plain = await load(storage, Wanted(payments=[payment_id(2)]))
        assert plain.quotes == ()
        assert accounts_in(plain).keys() == {MERCHANT.id, OTHERS[0].id}

    async def test_no_two_payments_use_a_quote(self, storage: Storage) -> None:
        """The second transaction gets `KeyTaken`, and nothing of theirs is written."""
        await commit(storage, Changes(payments_new=[a_payment(1, quote_id=quote_id(1))]))
        with pytest.raises(KeyTaken):
            await commit(storage, Changes(payments_new=[a_payment(2, quote_id=quote_id(1))]))
        assert await storage.reader.payment(payment_id(2)) is None
        await commit(storage, Changes(payments_new=[a_payment(3), a_payment(4)]))

    async def test_units_of_work_on_the_same_quote_take_turns(self, storage: Storage) -> None:
        """Of sixteen that wait a little and use it if nobody has, one does."""
        await commit(storage, Changes(quotes_new=[a_quote(1)]))
        won: list[PaymentId] = []

        @run_again
        async def use(number: int) -> None:
            async with storage.unit_of_work() as work:
                [quote] = (await work.load(Wanted(quotes=[quote_id(1)]))).quotes
                await asyncio.sleep(0.001)
                if quote.payment_id is None:
                    payment = a_payment(number, quote_id=quote.id)
                    await work.commit(Changes(payments_new=[payment], quotes_changed=[quote.used_by(payment.id)]))
                    won.append(payment.id)

        async with asyncio.timeout(TIMEOUT_SECONDS):
            await asyncio.gather(*(use(number) for number in range(1, 17)))
        [winner] = won
        assert await storage.reader.quote(quote_id(1)) == a_quote(1).used_by(winner)

    async def test_locking_quotes_in_opposite_orders_never_deadlocks(self, storage: Storage) -> None:
        """Neither directly nor through payments, with their accounts behind them."""
        quotes = [a_quote(n).used_by(payment_id(n)) for n in range(1, 5)]
        payments = [a_payment(n, quote_id=quote_id(n)) for n in range(1, 5)]
        await commit(storage, Changes(accounts_new=ALL, quotes_new=quotes, payments_new=payments))
        ids = [account.id for account in ALL]
        wishes = [
            Wanted(quotes=[quote.id for quote in quotes]),
            Wanted(quotes=[quote.id for quote in quotes[::-1]]),
            Wanted(payments=[payment.id for payment in payments], quotes=[quotes[0].id]),
            Wanted(payments=[payment.id for payment in payments[::-1]]),
            Wanted(account_ids=ids[::-1]),
            Wanted(account_keys=[account.key for account in ALL]),
        ]

        @run_again
        async def visit(wanted: Wanted) -> None:
            async with storage.unit_of_work() as work:
                found = await work.load(wanted)
                changed = [account.changed(credits_posted=1) for account in found.accounts]
                await work.commit(Changes(accounts_changed=changed))

        async with asyncio.timeout(TIMEOUT_SECONDS):
            await asyncio.gather(*(visit(wanted) for _ in range(5) for wanted in wishes))
        exchange = accounts_in(await load(storage, Wanted(account_ids=[AccountId(ids[2])])))
        assert [account.credits_posted for account in exchange.values()] == [5 * len(wishes)]

    async def test_the_audit_tells_every_quote_that_was_used(self, storage: Storage) -> None:
        """With its payment, if that exists; as of one moment."""
        unused, used, astray = a_quote(1), a_quote(2).used_by(payment_id(2)), a_quote(3).used_by(payment_id(9))
        payment = a_payment(2, quote_id=used.id, metadata={"a": "1"}, updated_at=NOW)
        await commit(storage, Changes(quotes_new=[unused, used, astray], payments_new=[payment]))
        async with storage.audit() as audit:
            later = unused.used_by(payment_id(1))
            await commit(storage, Changes(quotes_changed=[later]), Wanted(quotes=[later.id]))
            told = [record async for page in audit.used_quotes() for record in page]
        assert sorted(told, key=lambda record: record.quote.id) == [UsedQuote(used, payment), UsedQuote(astray, None)]


def accounts_in(records: Records) -> dict[AccountId, Account]:
    """The accounts found; each must stand there once."""
    found = {account.id: account for account in records.accounts}
    assert len(found) == len(records.accounts), "an account was found twice"
    return found
