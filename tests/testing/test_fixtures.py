"""The fixtures of `gateway.testing`, on each storage, and what they are made of."""

import os
import runpy
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway import (
    TRUSTED,
    FeeSchedule,
    Gateway,
    MakeDeposit,
    MemoryDatabase,
    Money,
    PaymentFilter,
    Role,
    StorageUnavailable,
    in_memory_gateway,
    open_gateway,
)
from gateway.adapters.memory import memory_storage
from gateway.adapters.system import clock as system_clock_module
from gateway.ports import Storage
from gateway.testing import EmittedEvents, Factory, FastPasswords, MovableClock, StorageFaults, assert_sound, expire_due
from gateway.testing.storages import open_named
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
