"""Rules of risk as a gateway is opened with them: limits in settings, or rules of the embedding program."""

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from gateway import (
    TRUSTED,
    Gateway,
    InvalidInput,
    MakeDeposit,
    Money,
    Pay,
    PaymentFilter,
    PaymentOrder,
    Settings,
    SettingsRefused,
    StartRefused,
    in_memory_gateway,
    open_gateway,
)
from gateway.domain.user import Role
from gateway.ports import ALLOWED, PaymentAttempt, RiskVerdict, refused
from gateway.refusals import LimitExceeded

HOUR = timedelta(hours=1)


async def paying(gateway: Gateway, amount: int = 10, reference: str | None = None) -> Pay:
    """A payment of a new customer with ten dollars, to a new merchant."""
    people = [
        await gateway.access.register(email=f"{role.value}@example.com", password="a long password", role=role)
        for role in (Role.CUSTOMER, Role.MERCHANT)
    ]
    customer, merchant = people
    await gateway.execute(MakeDeposit(account_id=customer.accounts[0].id, amount=Money(1_000, "USD"), owner_id=None))
    order = PaymentOrder(
        customer_id=customer.user.id, merchant_id=merchant.user.id, amount=Money(amount, "USD"), reference=reference
    )
    return Pay(order=order)


class NoFakes:
    """Rules of a shop: nobody pays for `fake-…`, or three times in an hour."""

    windows: Collection[timedelta] = (HOUR,)

    def __init__(self) -> None:
        self.seen: list[PaymentAttempt] = []

    def assess(self, attempt: PaymentAttempt) -> RiskVerdict:
        self.seen.append(attempt)
        if attempt.reference is not None and attempt.reference.startswith("fake-"):
            return refused("shop.fakes")
        return refused("shop.thrice") if attempt.counters.count(HOUR, attempt.now) >= 2 else ALLOWED


async def test_no_payment_is_asked_about_unless_there_are_rules() -> None:
    async with in_memory_gateway() as gateway:
        command = await paying(gateway)
        for _ in range(5):
            await gateway.execute(command)


async def test_rules_of_a_program_see_the_order_the_balance_and_what_was_paid_lately() -> None:
    rules = NoFakes()
    async with in_memory_gateway(risk=rules) as gateway:
        command = await paying(gateway, reference="fake-1")
        with pytest.raises(LimitExceeded) as no:
            await gateway.execute(command)
        assert no.value.facts == {"rule": "shop.fakes"}
        good = Pay(
            order=PaymentOrder(
                customer_id=command.order.customer_id,
                merchant_id=command.order.merchant_id,
                amount=command.order.amount,
                description="Two coffees",
                metadata={"till": "1"},
            )
        )
        for _ in range(2):
            await gateway.execute(good)
        with pytest.raises(LimitExceeded) as no:
            await gateway.execute(good)
        assert no.value.facts == {"rule": "shop.thrice"}
    last = rules.seen[-1]
    assert (last.available_minor, last.amount, last.paid) == (980, Money(10, "USD"), Money(10, "USD"))
    assert (last.description, dict(last.metadata)) == ("Two coffees", {"till": "1"})
    assert last.counters.sum_minor(HOUR, last.paid.currency, last.now) == 20


async def test_limits_of_settings_hold_in_transactions_of_the_program_too(tmp_path: Path) -> None:
    file = tmp_path / "gateway.db"
    settings = Settings(database_url=f"sqlite:///{file}", risk_refuse=("count.1h=2",))
    async with open_gateway(settings) as gateway:
        command = await paying(gateway)
        engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
        for commits in (False, True):
            async with engine.connect() as connection:
                await connection.begin()
                await gateway.execute_in(connection, command, idempotency_key="order-1")
                await (connection.commit() if commits else connection.rollback())
        await gateway.execute(command)
        with pytest.raises(LimitExceeded):
            await gateway.execute(command)
        async with engine.begin() as connection:
            with pytest.raises(LimitExceeded):
                await gateway.execute_in(connection, command, idempotency_key="order-3")
        await engine.dispose()
        assert len((await gateway.queries.payments(TRUSTED, PaymentFilter())).items) == 2


async def test_rules_of_the_program_come_in_place_of_the_limits_of_the_settings() -> None:
    settings = Settings(database_url="memory://", risk_refuse=("amount.customer.USD=1",))
    async with open_gateway(settings, risk=NoFakes()) as gateway:
        await gateway.execute(await paying(gateway))


@pytest.mark.parametrize("limit", ["count.1h", "count.1h=0", "sum.XXX.1h=1", "daily=5"])
def test_a_setting_that_is_no_limit_is_refused(limit: str) -> None:
    with pytest.raises(SettingsRefused, match="GATEWAY_RISK_REFUSE"):
        Settings(risk_refuse=(limit,))


async def test_a_gateway_does_not_start_with_more_windows_than_there_may_be() -> None:
    settings = Settings(database_url="memory://", risk_refuse=tuple(f"count.{n}m=5" for n in range(1, 10)))
    with pytest.raises(StartRefused, match="GATEWAY_RISK_REFUSE"):
        async with open_gateway(settings):
            pass


class WrongWindows(NoFakes):
    windows = (timedelta(seconds=90),)


@pytest.mark.parametrize("rules", [WrongWindows(), object(), "count.1h=5"])
async def test_what_are_no_rules_is_refused(rules: NoFakes) -> None:
    with pytest.raises(InvalidInput):
        async with in_memory_gateway(risk=rules):
            pass
