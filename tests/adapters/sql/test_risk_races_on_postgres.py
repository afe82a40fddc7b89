"""Two gateways with connections of their own: what they let through together never exceeds a limit, on Postgres."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

from gateway import ApprovePayment, DeclinePayment, ExpirePayment, MakeDeposit, OpenAccount, Refusal
from gateway.adapters.sql import open_sql_storage
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import Executor, OneByOne
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.verification.verify import verify
from gateway.contracts.records import EUR, user_id
from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.money import Money
from gateway.domain.payment import Payment
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.user import Role
from gateway.refusals import LimitExceeded, PaymentExpired, PaymentStateInvalid
from support.builders import (
    CUSTOMER,
    MERCHANT,
    StandingClock,
    a_batch,
    deposit,
    opened,
    pay,
    refusing,
    register,
    reviewing,
    usd,
)

ROUNDS = 200
COUNT = 2
"""The limit of payments in an hour; each round is an hour and more after the previous round."""


async def test_payments_of_two_gateways_never_exceed_a_limit_together(postgres_url: str) -> None:
    clock, risk = StandingClock(), refusing(f"count.1h={COUNT}", "sum.USD.1h=15")
    async with AsyncExitStack() as stack:
        storages = [await stack.enter_async_context(open_sql_storage(postgres_url)) for _ in range(2)]
        await opened(storages[0], balance=1_000_000)
        runs = [retrying(a_batch(each, clock, risk).run, RetryLimits(attempts_max=50)) for each in storages]
        submissions: list[Executor] = [
            GroupCommit(runs[0], GroupLimits(), scheduling=storages[0].scheduling),
            OneByOne(runs[1]),
        ]
        gateways = [CommandExecutor(each, time_ordered_id) for each in submissions]
        euros = await gateways[0].execute(OpenAccount(key=AccountKey(CUSTOMER, EUR, AccountKind.CUSTOMER)))
        await gateways[0].execute(OpenAccount(key=AccountKey(MERCHANT, EUR, AccountKind.MERCHANT)))
        await gateways[0].execute(MakeDeposit(account_id=euros.id, amount=Money(1_000_000, EUR), owner_id=None))
        for number in range(ROUNDS):
            clock.advance(3_661)
            # From accounts in two currencies, which do not wait for each other, but for the counters.
            amounts = [usd(6), Money(6, EUR)] if number % 2 else [usd(10), usd(6)]
            asked = (gateways[n % 2].execute(pay(amounts[n // 2 % 2])) for n in range(4))
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
            others = [each for each in outcomes if isinstance(each, BaseException)]
            assert all(isinstance(each, LimitExceeded) for each in others), others
            paid = [each.payment.amount for each in outcomes if not isinstance(each, BaseException)]
            assert len(paid) <= COUNT
            assert sum(each.amount_minor for each in paid if each.currency == "USD") <= 15
            assert paid
        async with storages[0].audit() as audit:
            assert (await verify(audit)).named == []


async def test_the_first_payments_of_a_customer_from_two_accounts_are_both_counted(postgres_url: str) -> None:
    """There is no row to lock yet: one of them finds the other's, and is decided again."""
    clock, risk, rounds = StandingClock(), refusing("count.1h=1"), 10
    async with AsyncExitStack() as stack:
        storages = [await stack.enter_async_context(open_sql_storage(postgres_url)) for _ in range(2)]
        await opened(storages[0])
        runs = [retrying(a_batch(each, clock, risk).run, RetryLimits(attempts_max=50)) for each in storages]
        first, second = (CommandExecutor(OneByOne(run), time_ordered_id) for run in runs)
        await first.execute(OpenAccount(key=AccountKey(MERCHANT, EUR, AccountKind.MERCHANT)))
        for number in range(10, 10 + rounds):
            registered = await first.execute(register(number, Role.CUSTOMER))
            await first.execute(deposit(usd(100), registered.accounts[0].id))
            key = AccountKey(user_id(number), EUR, AccountKind.CUSTOMER)
            euros = await first.execute(OpenAccount(key=key))
            await first.execute(MakeDeposit(account_id=euros.id, amount=Money(100, EUR), owner_id=None))
            outcomes = await asyncio.gather(
                first.execute(pay(usd(1), customer=number)),
                second.execute(pay(Money(1, EUR), customer=number)),
                return_exceptions=True,
            )
            assert sorted(isinstance(each, LimitExceeded) for each in outcomes) == [False, True], outcomes


async def test_of_an_approval_a_decline_and_the_end_of_its_time_exactly_one_wins(postgres_url: str) -> None:
    clock, risk, rounds = StandingClock(), reviewing("amount.customer.USD=1", review_seconds=60), 30
    async with AsyncExitStack() as stack:
        storages = [await stack.enter_async_context(open_sql_storage(postgres_url)) for _ in range(2)]
        await opened(storages[0], balance=1_000)
        clocks = [clock, StandingClock()]
        runs = [
            retrying(a_batch(storage, clock, risk).run, RetryLimits(attempts_max=50))
            for storage, clock in zip(storages, clocks, strict=True)
        ]
        first, second = (CommandExecutor(OneByOne(run), time_ordered_id) for run in runs)
        won = Counter[str]()
        for number in range(rounds):
            waiting = (await first.execute(pay(usd(2)))).payment
            # One server takes its time for over, the other one does not.
            clocks[1].now = clock.now
            clocks[1].advance(60)
            decide = (ApprovePayment if number % 2 else DeclinePayment)(payment_id=waiting.id, reason="Decided")
            decided, expired = await asyncio.gather(
                first.execute(decide), second.execute(ExpirePayment(payment_id=waiting.id)), return_exceptions=True
            )
            # A payment that has ended is not expired again, and that is no error.
            assert isinstance(expired, Payment), expired
            assert isinstance(decided, Payment | PaymentStateInvalid | PaymentExpired), decided
            ended = await storages[0].reader.payment(waiting.id)
            assert ended is not None
            assert (ended.version, ended.status is PaymentStatus.EXPIRED) == (2, isinstance(decided, Refusal))
            won[ended.status.value] += 1
        assert won.total() == rounds
        async with storages[0].audit() as audit:
            assert (await verify(audit)).named == []
