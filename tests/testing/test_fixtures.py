"""The fixtures of `gateway.testing`, on each storage, and what they are made of."""

import os
import runpy
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from gateway import (
    TRUSTED,
    FeeSchedule,
    Gateway,
    InvalidInput,
    MakeDeposit,
    MemoryDatabase,
    Money,
    Pay,
    PaymentFilter,
    PaymentOrder,
    Role,
    StorageUnavailable,
    in_memory_gateway,
    open_gateway,
)
from gateway.adapters.memory import memory_storage
from gateway.adapters.system import clock as system_clock_module
from gateway.ports import Storage
from gateway.testing import EmittedEvents, Factory, FastPasswords, MovableClock, StorageFaults, assert_sound, expire_due
from gateway.testing.plugin import pytest_collection_finish
from gateway.testing.storages import database_url, open_named
from support.builders import StandingClock

EXAMPLE = Path(__file__).parents[2] / "examples" / "test_with_fixtures.py"

_example = runpy.run_path(str(EXAMPLE))
test_a_hold_expires_after_its_time = _example["test_a_hold_expires_after_its_time"]
test_an_order_is_paid_once_although_the_answer_was_lost = _example[
    "test_an_order_is_paid_once_although_the_answer_was_lost"
]
test_nothing_is_captured_while_the_storage_is_away = _example["test_nothing_is_captured_while_the_storage_is_away"]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def storage_name(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("postgres_url") if request.param == "postgres" else request.param)


@pytest.fixture
async def gateway_storage(
    request: pytest.FixtureRequest, storage_name: str, gateway_faults: StorageFaults
) -> AsyncIterator[Storage]:
    """In place of the option: each storage in one run."""
    async with open_named(storage_name, request) as storage:
        yield gateway_faults.over(storage)


async def test_factories_make_what_their_docstrings_say(gateway: Gateway, gateway_factory: Factory) -> None:
    customer, merchant = await gateway_factory.customer(), await gateway_factory.merchant()
    assert (customer.available, customer.currency) == (5_000, "EUR")
    assert merchant.fees == FeeSchedule(basis_points=150, fixed_minor=25)
    payment = await gateway_factory.payment(customer=customer, merchant=merchant)
    assert (payment.status, payment.amount) == ("captured", Money(1_000, "EUR"))
    large = await gateway_factory.held_payment(Money(90_000, "JPY"), expires_in_seconds=60)
    assert (large.status, large.amount) == ("authorized", Money(90_000, "JPY"))
    assert len((await gateway.queries.payments(TRUSTED, PaymentFilter())).items) == 2
    await assert_sound(gateway)


async def test_events_are_those_since_the_test_began(gateway: Gateway, gateway_factory: Factory) -> None:
    await gateway_factory.customer()
    events = await EmittedEvents.from_now(gateway)
    assert await events.types() == []
    await gateway_factory.merchant(fees=FeeSchedule(basis_points=0, fixed_minor=0))
    assert await events.types() == ["account.opened"]


async def test_everything_is_away_while_the_storage_is(
    gateway: Gateway, gateway_factory: Factory, gateway_faults: StorageFaults
) -> None:
    customer = await gateway_factory.customer()
    with gateway_faults.away():
        for call in (
            gateway.queries.accounts_of(customer.owner_id),
            gateway.events.read(),
            gateway.access.register(email="ada@example.com", password="a long passphrase", role=Role.CUSTOMER),
            gateway.execute(MakeDeposit(account_id=customer.id, amount=Money(1, "EUR"), owner_id=None)),
            gateway.quotes.all_rates(),
            assert_sound(gateway),
        ):
            with pytest.raises(StorageUnavailable):
                await call
    assert len(await gateway.queries.accounts_of(customer.owner_id)) == 1


async def test_a_lost_commit_is_written_or_not_as_it_was_told(
    gateway: Gateway, gateway_factory: Factory, gateway_faults: StorageFaults
) -> None:
    customer = await gateway_factory.customer()
    deposit = MakeDeposit(account_id=customer.id, amount=Money(1, "EUR"), owner_id=None)
    for written, available in ((False, 5_000), (True, 5_001)):
        gateway_faults.lose_commit(written=written)
        with pytest.raises(StorageUnavailable):
            await gateway.execute(deposit)
        [account] = await gateway.queries.accounts_of(customer.owner_id)
        assert account.available == available


async def test_the_example_has_keys_of_its_own_in_a_database_that_tests_share(
    gateway: Gateway, gateway_factory: Factory, gateway_faults: StorageFaults
) -> None:
    for _ in range(2):
        await test_an_order_is_paid_once_although_the_answer_was_lost(gateway, gateway_factory, gateway_faults)


async def test_helpers_refuse_what_is_no_money_and_no_time(
    gateway_factory: Factory, gateway_clock: MovableClock
) -> None:
    anything: Any = 5
    for call, field in (
        (partial(gateway_factory.customer, anything), "balance"),
        (partial(gateway_factory.payment, amount=anything), "amount"),
        (partial(gateway_factory.held_payment, amount=anything), "amount"),
        (partial(gateway_clock.wait, anything), "by"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await call()
        assert [(error.field, error.code) for error in refused.value.errors] == [(field, "type_mismatch")]


@pytest.fixture
def own_table_storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, storage_name: str) -> None:
    """As `--gateway-storage` on the command line."""
    monkeypatch.setattr(request.config.option, "gateway_storage", storage_name)


@pytest.mark.usefixtures("own_table_storage")
@pytest.mark.parametrize("storage_name", ["sqlite", "postgres"], indirect=True)
@pytest.mark.parametrize("written", [True, False])
async def test_a_program_has_tables_of_its_own_in_the_database_of_the_fixtures(
    gateway: Gateway,
    gateway_factory: Factory,
    gateway_faults: StorageFaults,
    gateway_database_url: str,
    *,
    written: bool,
) -> None:
    url = gateway_database_url.replace("sqlite:", "sqlite+aiosqlite:").replace("postgresql:", "postgresql+asyncpg:")
    engine = create_async_engine(url)
    customer, merchant = await gateway_factory.customer(), await gateway_factory.merchant()
    order = PaymentOrder(customer_id=customer.owner_id, merchant_id=merchant.owner_id, amount=Money(1_000, "EUR"))

    async def place() -> None:
        async with engine.begin() as connection:
            await connection.execute(text("INSERT INTO orders VALUES ('1')"))
            await gateway.execute_in(connection, Pay(order=order), idempotency_key="1", owner_id=customer.owner_id)

    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE orders (number TEXT PRIMARY KEY)"))
    gateway_faults.lose_commit(written=written)
    with pytest.raises(StorageUnavailable):
        await place()
    await place()
    [account] = await gateway.queries.accounts_of(customer.owner_id)
    assert account.available == 4_000
    await assert_sound(gateway)
    await engine.dispose()


def test_a_storage_without_a_database_has_no_url(tmp_path: Path) -> None:
    with pytest.raises(pytest.UsageError, match="--gateway-storage=sqlite"):
        database_url("memory", tmp_path)


@pytest.mark.parametrize(
    "name", ["sqlit", "postgresql//localhost/x", "mysql://localhost/x", "sqlite://:memory:", "os:nothing", "os:name"]
)
def test_a_storage_that_there_is_not_is_refused_before_the_first_test(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    asking = SimpleNamespace(fixturenames=["gateway", "gateway_storage"])
    monkeypatch.setattr(pytestconfig.option, "gateway_storage", name)
    session: Any = SimpleNamespace(config=pytestconfig, items=[asking])
    with pytest.raises(pytest.UsageError, match="--gateway-storage"):
        pytest_collection_finish(session)
    session.items = [SimpleNamespace(fixturenames=[])]
    pytest_collection_finish(session)  # Runs without these fixtures are left alone.


async def test_users_log_in_with_fast_passwords(gateway: Gateway) -> None:
    await gateway.access.register(email="ada@example.com", password="a long passphrase", role=Role.CUSTOMER)
    signed_in = await gateway.access.log_in(email="ada@example.com", password="a long passphrase", address="192.0.2.1")
    assert (await gateway.access.authenticate(signed_in.access_token)).role is Role.CUSTOMER
    assert not (await FastPasswords().verify(None, "a long passphrase")).matches


async def test_a_ledger_that_is_not_sound_is_told_with_the_rule_and_the_row() -> None:
    database = MemoryDatabase()
    async with in_memory_gateway(database=database) as gateway:
        customer = await Factory(gateway).customer()
        await assert_sound(gateway)
        database.accounts[customer.id] = database.accounts[customer.id].changed(credits_posted=1)
        with pytest.raises(AssertionError, match=f"of {customer.id}: "):
            await assert_sound(gateway)


async def test_the_clock_moves_with_the_clock_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = MovableClock()
    machine = StandingClock()
    monkeypatch.setattr("gateway.testing.clock.system_clock", machine)
    clock.move(timedelta(days=1))
    machine.advance(3_600)
    assert clock() == machine.now + timedelta(days=1)
    assert system_clock_module.system_clock() != machine.now


async def test_moving_the_clock_alone_writes_nothing_and_expiring_writes_all_that_is_due() -> None:
    clock = MovableClock()
    async with open_gateway(storage=memory_storage(), clock=clock) as gateway:
        held = [await Factory(gateway).held_payment() for _ in range(3)]
        clock.move(timedelta(days=8))
        stored = await gateway.storage.reader.payment(held[0].id)
        assert stored is not None
        assert stored.status == "authorized"
        assert await expire_due(gateway) == 3
        assert await expire_due(gateway) == 0


def test_another_program_runs_the_fixtures_on_a_storage_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "my_storage.py").write_text(
        "from contextlib import asynccontextmanager\n"
        "from gateway.adapters.memory import memory_storage\n\n\n"
        "@asynccontextmanager\n"
        "async def opened():\n"
        "    print('my own storage')\n"
        "    yield memory_storage()\n"
    )
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\n"
        "asyncio_default_fixture_loop_scope = function\n"
        "filterwarnings = error\n"
        "gateway_storage = my_storage:opened\n"
        "pythonpath = .\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-rP", "-p", "no:cacheprovider", "-c", "pytest.ini", str(EXAMPLE)]
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "3 passed" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("my own storage") == 3
