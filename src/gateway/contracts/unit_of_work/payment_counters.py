"""Payment counters: loaded beside the accounts of customers, and never counted past each other."""

import asyncio
from datetime import timedelta

import pytest

from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, KeyTaken, Wanted
from gateway.contracts.records import (
    EUR,
    NOW,
    USD,
    account_id,
    an_account,
    an_answer,
    commit,
    load,
    payment_counters,
    user_id,
)
from gateway.contracts.unit_of_work.support import TIMEOUT_SECONDS, run_again
from gateway.domain.account import AccountKind
from gateway.domain.limits import RISK_SUM_MINOR_MAX
from gateway.domain.money import Money
from gateway.domain.payment_counters import Bucket, PaymentCounters

HOUR = timedelta(hours=1)
MANY = PaymentCounters(
    customer_id=user_id(1),
    version=2**62,
    windows={
        timedelta(minutes=1): [Bucket(2**40, 10**6, {USD: RISK_SUM_MINOR_MAX, EUR: 1})],
        31 * 24 * HOUR: [Bucket(number, 1, {USD: number}) for number in range(1, 62)],
    },
)


class PaymentCountersContract:
    """A part of `UnitOfWorkContract`."""

    async def test_counters_come_back_with_every_bucket(self, storage: Storage) -> None:
        """Their customer need not have an account when they are written."""
        await commit(storage, Changes(payment_counters=[MANY]))
        found = await load(storage, Wanted(account_keys=[an_account(1).key], counts_payments=True))
        assert found.payment_counters == (MANY,)

    async def test_counters_are_loaded_for_customers_and_only_where_payments_are_counted(
        self, storage: Storage
    ) -> None:
        """Those of every customer whose account is wanted by key."""
        counters = [payment_counters(number) for number in (1, 2, 3)]
        await commit(storage, Changes(payment_counters=counters))
        keys = [an_account(1).key, an_account(2, kind=AccountKind.MERCHANT).key, an_account(3, currency=EUR).key]
        found = await load(storage, Wanted(account_keys=keys, counts_payments=True))
        assert {each.customer_id: each for each in found.payment_counters} == {
            user_id(1): counters[0],
            user_id(3): counters[2],
        }
        assert (await load(storage, Wanted(account_keys=keys))).payment_counters == ()
        assert (await load(storage, Wanted(counts_payments=True))).payment_counters == ()

    async def test_changed_counters_replace_those_of_the_same_customer(self, storage: Storage) -> None:
        """Beside new ones, in one commit."""
        wanted = Wanted(account_keys=[an_account(1).key, an_account(2).key], counts_payments=True)
        await commit(storage, Changes(payment_counters=[payment_counters(1)]))
        after = payment_counters(1).counted(Money(7, EUR), [HOUR, 2 * HOUR], NOW + HOUR)
        await commit(storage, Changes(payment_counters=[payment_counters(2, version=3), after]), wanted)
        found = await load(storage, wanted)
        assert {each.customer_id: each for each in found.payment_counters} == {
            user_id(1): after,
            user_id(2): payment_counters(2, version=3),
        }

    async def test_nothing_is_counted_when_the_commit_fails(self, storage: Storage) -> None:
        """It is one transaction with everything else."""
        await commit(storage, Changes(answers_new=[an_answer()]))
        with pytest.raises(KeyTaken):
            await commit(storage, Changes(answers_new=[an_answer()], payment_counters=[payment_counters()]))
        found = await load(storage, Wanted(account_keys=[an_account().key], counts_payments=True))
        assert found.payment_counters == ()

    async def test_no_concurrent_payment_goes_uncounted(self, storage: Storage) -> None:
        """Not even if two pay from accounts in two currencies, and are the first payments of their customer."""
        accounts = [an_account(1), an_account(2, owner_id=user_id(1), currency=EUR)]
        await commit(storage, Changes(accounts_new=accounts))

        @run_again
        async def count_one(number: int) -> None:
            key = accounts[number % 2].key
            async with storage.unit_of_work() as work:
                records = await work.load(Wanted(account_keys=[key], counts_payments=True))
                [account] = records.accounts
                await asyncio.sleep(0.001)
                empty = PaymentCounters(customer_id=user_id(1), windows={})
                before = next(iter(records.payment_counters), empty)
                after = before.counted(Money(1, key.currency), [HOUR], NOW)
                await work.commit(
                    Changes(accounts_changed=[account.changed(credits_posted=1)], payment_counters=[after])
                )

        async with asyncio.timeout(TIMEOUT_SECONDS):
            await asyncio.gather(*map(count_one, range(20)))
        wanted = Wanted(account_ids=[account_id(1)], account_keys=[accounts[0].key], counts_payments=True)
        [counters] = (await load(storage, wanted)).payment_counters
        assert counters.version == counters.count(HOUR, NOW) == 20
        assert counters.sum_minor(HOUR, USD, NOW) == counters.sum_minor(HOUR, EUR, NOW) == 10
