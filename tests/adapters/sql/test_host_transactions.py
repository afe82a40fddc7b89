"""Payments in transactions of a program commit or roll back with its own rows, whatever else happens meanwhile."""

import asyncio
import runpy
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from gateway import (
    TRUSTED,
    Account,
    Gateway,
    InvalidInput,
    MakeDeposit,
    Money,
    OpenAccount,
    Pay,
    PaymentFilter,
    PaymentOrder,
    PaymentResult,
    Settings,
    StorageUnavailable,
    UserId,
    WrongEventLoop,
    in_memory_gateway,
    open_gateway,
)
from gateway.adapters.sql import postgres, sqlite
from gateway.refusals import AccountExists, IdempotencyKeyReused, InsufficientFunds
from gateway.testing import assert_sound

EXAMPLE = Path(__file__).parents[3] / "examples" / "order_and_payment.py"
SQLITE_HOSTS = ["sqlite connection", "sqlite session"]
ASYNCPG_HOSTS = ["asyncpg", "asyncpg pool"]
ALL_HOSTS = [*SQLITE_HOSTS, *ASYNCPG_HOSTS, "postgres connection", "postgres session"]
HOSTS = ["sqlite connection", "asyncpg", "postgres session"]
"""One of each driver."""
SHORT_LOCK_SECONDS = 0.2
SECONDS_MAX = 60


class Rollback(Exception):  # noqa: N818 - it is no error.
    """The program changes its mind."""


class Host:
    """A program with a table of its own in the gateway's database."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind = kind
        self.url = url
        driver = "postgresql+asyncpg" if url.startswith("postgresql") else "sqlite+aiosqlite"
        self.engine = create_async_engine(url.replace(url.partition("://")[0], driver, 1))
        self.pool: Any = None

    async def start(self) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text("CREATE TABLE orders (id TEXT PRIMARY KEY)"))
        if self.kind == "asyncpg pool":
            self.pool = await asyncpg.create_pool(self.url, min_size=0, max_size=4)

    async def stop(self) -> None:
        await self.engine.dispose()
        if self.pool is not None:
            await self.pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """A transaction of the program; what is raised rolls it back."""
        if self.kind == "asyncpg":
            connection = await asyncpg.connect(self.url)
            try:
                async with connection.transaction():
                    yield connection
            finally:
                await connection.close()
        elif self.kind == "asyncpg pool":
            async with self.pool.acquire() as connection, connection.transaction():
                yield connection
        elif self.kind.endswith("session"):
            async with AsyncSession(self.engine) as session, session.begin():
                yield session
        else:
            async with self.engine.begin() as connection:
                yield connection

    async def order(self, connection: Any, order_id: str) -> None:
        if self.kind.startswith("asyncpg"):
            await connection.execute("INSERT INTO orders VALUES ($1)", order_id)
        else:
            await connection.execute(text("INSERT INTO orders VALUES (:id)"), {"id": order_id})

    async def orders(self) -> list[str]:
        async with self.engine.connect() as connection:
            return [row[0] for row in await connection.execute(text("SELECT id FROM orders ORDER BY id"))]


@pytest.fixture(params=HOSTS)
def host_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, host_kind: str, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/shop.db" if "sqlite" in host_kind else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def gateway(database_url: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with open_gateway(Settings(database_url=database_url, data_dir=str(tmp_path))) as opened:
        yield opened


@pytest.fixture
async def host(gateway: Gateway, host_kind: str, database_url: str) -> AsyncIterator[Host]:
    await gateway.accounts.open_merchant("shop", "EUR")
    ada = await gateway.accounts.open_customer("ada", "EUR")
    await gateway.execute(MakeDeposit(account_id=ada.id, amount=Money(1_000, "EUR"), owner_id=None))
    host = Host(host_kind, database_url)
    await host.start()
    yield host
    await host.stop()


async def paying(gateway: Gateway, minor: int = 10) -> Pay:
    ada, shop = await gateway.accounts.open_customer("ada", "EUR"), await gateway.accounts.open_merchant("shop", "EUR")
    return Pay(order=PaymentOrder(customer_id=ada.owner_id, merchant_id=shop.owner_id, amount=Money(minor, "EUR")))


async def customers(gateway: Gateway) -> Account:
    return await gateway.accounts.open_customer("ada", "EUR")


async def available(gateway: Gateway) -> int:
    return (await customers(gateway)).available


@pytest.mark.parametrize("host_kind", ALL_HOSTS, indirect=True)
async def test_an_order_and_its_payment_commit_together(gateway: Gateway, host: Host) -> None:
    command, before = await paying(gateway), (await gateway.events.read(limit=1_000))[-1].position
    async with host.transaction() as connection:
        await host.order(connection, "order-1")
        paid = await gateway.execute_in(connection, command, idempotency_key="order-1")
        if "sqlite" not in host.kind:  # There, readers wait for writers, or see the file before.
            assert await available(gateway) == 1_000
    assert await host.orders() == ["order-1"]
    assert await available(gateway) == 990
    assert (await gateway.queries.payment(TRUSTED, paid.payment.id)) == paid.payment
    assert [event.type for event in await gateway.events.read(after=before)] == ["payment.captured"]
    assert await gateway.execute(command, idempotency_key="order-1") == paid
    async with host.transaction() as connection:
        assert await gateway.execute_in(connection, command, idempotency_key="order-1") == paid
    await assert_sound(gateway)


async def test_an_order_and_its_payment_roll_back_together_and_the_key_is_free(gateway: Gateway, host: Host) -> None:
    command, before = await paying(gateway), (await gateway.events.read(limit=1_000))[-1].position
    with suppress(Rollback):
        async with host.transaction() as connection:
            await host.order(connection, "order-1")
            await gateway.execute_in(connection, command, idempotency_key="order-1")
            raise Rollback
    assert await host.orders() == []
    assert await available(gateway) == 1_000
    assert list(await gateway.events.read(after=before)) == []
    assert (await gateway.queries.payments(TRUSTED, PaymentFilter())).items == []
    other = await paying(gateway, 20)
    await gateway.execute(other, idempotency_key="order-1")
    assert await available(gateway) == 980
    await assert_sound(gateway)


async def test_a_connection_that_breaks_between_leaves_nothing(gateway: Gateway, host: Host) -> None:
    command = await paying(gateway)
    with suppress(Exception):
        async with host.transaction() as connection:
            await host.order(connection, "order-1")
            await gateway.execute_in(connection, command, idempotency_key="order-1")
            await broken(connection)
    await host.engine.dispose()  # It would lend the broken connection once more.
    async with asyncio.timeout(SECONDS_MAX):
        assert await host.orders() == []
        assert await available(gateway) == 1_000
        await gateway.execute(command, idempotency_key="order-1")
    await assert_sound(gateway)


async def broken(connection: Any) -> None:
    if hasattr(connection, "terminate"):
        connection.terminate()
        return
    opened = await connection.connection() if isinstance(connection, AsyncSession) else connection
    driver: Any = (await opened.get_raw_connection()).driver_connection
    if isinstance(driver, asyncpg.Connection):
        driver.terminate()
    else:
        await driver.close()


async def test_several_commands_in_one_transaction_see_each_other(gateway: Gateway, host: Host) -> None:
    command = await paying(gateway, 300)
    async with host.transaction() as connection:
        for number in range(3):
            await gateway.execute_in(connection, command, idempotency_key=f"order-{number}")
        again = await gateway.execute_in(connection, command, idempotency_key="order-0")
        assert again.payment.amount == Money(300, "EUR")
        with pytest.raises(InsufficientFunds):
            await gateway.execute_in(connection, command, idempotency_key="order-3")
    assert await available(gateway) == 100
    await assert_sound(gateway)


async def test_a_refusal_leaves_the_transaction_to_go_on(gateway: Gateway, host: Host) -> None:
    account = await customers(gateway)
    async with host.transaction() as connection:
        with pytest.raises(AccountExists):
            await gateway.execute_in(connection, OpenAccount(key=account.key))
        with pytest.raises(InsufficientFunds):
            await gateway.execute_in(connection, await paying(gateway, 5_000), idempotency_key="order-1")
        with pytest.raises(IdempotencyKeyReused):
            await gateway.execute_in(connection, await paying(gateway, 1), idempotency_key="order-1")
        await host.order(connection, "order-1")
    assert await host.orders() == ["order-1"]
    [payment] = (await gateway.queries.payments(TRUSTED, PaymentFilter())).items
    assert payment.status == "failed"
    await assert_sound(gateway)


async def test_what_was_written_before_a_failure_is_taken_back(
    gateway: Gateway, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError("A bug, after everything was written.")

    command = await paying(gateway)
    for module in (postgres, sqlite):
        monkeypatch.setattr(module, "check_counts", failing)
    async with host.transaction() as connection:
        await host.order(connection, "order-1")
        with pytest.raises(RuntimeError, match="A bug"):
            await gateway.execute_in(connection, command, idempotency_key="order-1")
    monkeypatch.undo()
    assert await host.orders() == ["order-1"]
    assert await available(gateway) == 1_000
    assert (await gateway.execute(await paying(gateway, 20), idempotency_key="order-1")).payment.status == "captured"
    await assert_sound(gateway)


async def test_an_account_is_opened_and_paid_from_in_one_transaction(gateway: Gateway, host: Host) -> None:
    key = (await customers(gateway)).key._replace(currency=Money(1, "USD").currency)
    async with host.transaction() as connection:
        account = await gateway.execute_in(connection, OpenAccount(key=key))
        deposit = MakeDeposit(account_id=account.id, amount=Money(7, "USD"), owner_id=None)
        await gateway.execute_in(connection, deposit)
    accounts = await gateway.queries.accounts_of(key.owner_id)
    assert {each.currency: each.available for each in accounts} == {"EUR": 1_000, "USD": 7}
    await assert_sound(gateway)


async def test_other_gateways_pay_the_same_accounts_meanwhile_and_nothing_is_lost(
    gateway: Gateway, host: Host, database_url: str
) -> None:
    rounds = 10

    async def pay_in_a_transaction(number: int) -> None:
        async with host.transaction() as connection:
            await host.order(connection, f"order-{number}")
            await gateway.execute_in(connection, command, idempotency_key=f"order-{number}")
            if number % 2:
                raise Rollback

    async def of_the_program() -> None:
        for number in range(rounds):
            with suppress(Rollback):
                await retried(partial(pay_in_a_transaction, number))

    async def of_a_gateway(paying_gateway: Gateway, name: str) -> None:
        for number in range(rounds):
            await retried(partial(paying_gateway.execute, command, idempotency_key=f"{name}-{number}"))

    async def retried(call: Callable[[], Awaitable[object]]) -> None:
        while True:
            with suppress(StorageUnavailable, DBAPIError):
                await call()
                return

    command = await paying(gateway)
    async with open_gateway(database_url) as other, asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
        tasks.create_task(of_the_program())
        tasks.create_task(of_a_gateway(gateway, "one"))
        tasks.create_task(of_a_gateway(other, "another"))
    assert len(await host.orders()) == rounds // 2
    assert await available(gateway) == 1_000 - 10 * (rounds // 2 + 2 * rounds)
    await assert_sound(gateway)


@pytest.mark.parametrize("host_kind", ["asyncpg", "postgres session"], indirect=True)
async def test_others_who_need_the_accounts_or_the_key_wait_for_the_end_of_the_transaction(
    gateway: Gateway, host: Host, database_url: str
) -> None:
    command = await paying(gateway)
    async with open_gateway(database_url) as other, asyncio.timeout(SECONDS_MAX):
        await gateway.execute(command)  # Both have the accounts in their caches now.
        await other.execute(command)
        async with host.transaction() as connection:
            paid = await gateway.execute_in(connection, command, idempotency_key="order-1")
            with_the_key = asyncio.create_task(gateway.execute(command, idempotency_key="order-1"))
            with_another = asyncio.create_task(other.execute(command, idempotency_key="order-2"))
            await until_somebody_waits_for_a_lock(host, sessions=2)
        assert await with_the_key == paid
        assert (await with_another).payment.id != paid.payment.id
    assert await available(gateway) == 1_000 - 4 * 10
    await assert_sound(gateway)


@pytest.mark.parametrize("host_kind", ["asyncpg", "postgres session"], indirect=True)
async def test_an_account_that_others_hold_is_refused_soon_and_the_transaction_goes_on(
    gateway: Gateway, host: Host, database_url: str
) -> None:
    command = await paying(gateway)
    holder = await asyncpg.connect(host.url)
    hasty = Settings(database_url=database_url, database_lock_timeout_seconds=SHORT_LOCK_SECONDS)
    try:
        async with holder.transaction(), open_gateway(hasty) as other, host.transaction() as connection:
            await holder.execute("SELECT 1 FROM accounts WHERE owner_id = 'ada' FOR UPDATE")
            await host.order(connection, "order-1")
            with pytest.raises(StorageUnavailable):
                await other.execute_in(connection, command, idempotency_key="order-1")
            waiting = asyncio.create_task(gateway.execute_in(connection, command, idempotency_key="order-1"))
            await until_somebody_waits_for_a_lock(host, sessions=1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await host.order(connection, "order-2")
    finally:
        await holder.close()
    assert await host.orders() == ["order-1", "order-2"]
    assert await available(gateway) == 1_000


async def until_somebody_waits_for_a_lock(host: Host, *, sessions: int) -> None:
    observer = await asyncpg.connect(host.url)
    waiting = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
    while await observer.fetchval(waiting) < sessions:  # noqa: ASYNC110 - nothing tells.
        await asyncio.sleep(0.01)
    await observer.close()


@pytest.mark.parametrize("host_kind", ["asyncpg", "postgres session"], indirect=True)
async def test_settings_of_the_program_are_as_before_and_the_commit_is_durable_and_soon(
    gateway: Gateway, host: Host
) -> None:
    async def setting(connection: Any, name: str) -> str:
        if host.kind.startswith("asyncpg"):
            return str(await connection.fetchval(f"SHOW {name}"))
        return str((await connection.execute(text(f"SHOW {name}"))).scalar_one())

    async def run(connection: Any, statement: str) -> None:
        await connection.execute(statement if host.kind.startswith("asyncpg") else text(statement))

    command = await paying(gateway)
    async with host.transaction() as connection:
        await run(connection, "SET LOCAL search_path = pg_catalog, public")
        await run(connection, "SET LOCAL lock_timeout = '7s'")
        await run(connection, "SET LOCAL synchronous_commit = off")
        await gateway.execute_in(connection, command, idempotency_key="order-1")
        names = ("search_path", "lock_timeout", "synchronous_commit", "idle_in_transaction_session_timeout")
        assert [await setting(connection, name) for name in names] == ["pg_catalog, public", "7s", "on", "2s"]


async def test_what_is_no_connection_with_a_transaction_is_refused(
    gateway: Gateway, host: Host, tmp_path: Path
) -> None:
    command = await paying(gateway)
    for nothing in (None, "connection", object(), host.engine):
        with pytest.raises(InvalidInput) as refused:
            await gateway.execute_in(nothing, command)
        assert [error.field for error in refused.value.errors] == ["connection"]
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/another.db")
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE answers (id TEXT)"))
        with pytest.raises(InvalidInput, match=r"another file|Give a connection"):
            await gateway.execute_in(connection, command)
    await engine.dispose()
    if host.kind.startswith("asyncpg"):
        connection = await asyncpg.connect(host.url)
        with pytest.raises(InvalidInput, match="Begin a transaction"):
            await gateway.execute_in(connection, command)
        await connection.close()
    else:
        autocommit = host.engine.execution_options(isolation_level="AUTOCOMMIT")
        async with autocommit.connect() as connection:
            with pytest.raises(InvalidInput, match="Begin a transaction"):
                await gateway.execute_in(connection, command)
    assert await available(gateway) == 1_000


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("host_kind", ["asyncpg"], indirect=True)
async def test_another_database_is_refused(gateway: Gateway, postgres_server: Any) -> None:
    connection = await asyncpg.connect(postgres_server.url("postgres"))
    try:
        async with connection.transaction():
            with pytest.raises(InvalidInput, match="another database"):
                await gateway.execute_in(connection, await paying(gateway))
            assert await connection.fetchval("SELECT 1") == 1
    finally:
        await connection.close()


async def test_a_storage_without_such_transactions_says_so() -> None:
    async with in_memory_gateway() as gateway:
        await gateway.accounts.open_customer("ada", "EUR")
        with pytest.raises(InvalidInput, match="no transactions"):
            await gateway.execute_in(object(), await paying(gateway))


async def test_another_event_loop_is_refused_before_anything_is_written(gateway: Gateway, host: Host) -> None:
    command = await paying(gateway)

    async def elsewhere() -> None:
        await gateway.execute_in(object(), command)

    with pytest.raises(WrongEventLoop):
        await asyncio.to_thread(lambda: asyncio.run(elsewhere()))
    assert await host.orders() == []


@pytest.mark.parametrize("host_kind", ["sqlite connection", "postgres connection"], indirect=True)
async def test_the_example_of_an_order_has_no_order_without_a_payment(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Host("example", database_url).engine
    await runpy.run_path(str(EXAMPLE))["main"](database_url, engine)
    assert capsys.readouterr().out.splitlines() == [
        "ordered and paid",
        "not enough money, and no order",
        "['1001']",
        "1002",
    ]


@pytest.mark.parametrize("moment", ["while it runs", "when it has run"])
@pytest.mark.parametrize("host_kind", ["sqlite session", "asyncpg", "postgres connection"], indirect=True)
async def test_a_task_that_is_cancelled_at_any_statement_has_paid_nothing_and_the_transaction_goes_on(
    gateway: Gateway, host: Host, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = await paying(gateway)
    paying_task: asyncio.Task[Any] | None = None
    before_it = 0

    def counting(execute: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal before_it
            if paying_task is None or before_it < 0:
                return await execute(*args, **kwargs)
            before_it -= 1
            cancels = before_it < 0
            if cancels and moment == "while it runs":
                asyncio.get_running_loop().call_soon(paying_task.cancel)
            result = await execute(*args, **kwargs)
            if cancels and moment == "when it has run":
                asyncio.get_running_loop().call_soon(paying_task.cancel)
                await asyncio.sleep(0)
            return result

        return call

    async with host.transaction() as connection:  # Where the tables are is known afterwards.
        await gateway.execute_in(connection, command, idempotency_key="order-0")
    for driver, name in (
        (asyncpg.Connection, "execute"),
        (asyncpg.Connection, "fetch"),
        (asyncpg.Connection, "fetchrow"),
        (AsyncConnection, "execute"),
        (AsyncConnection, "exec_driver_sql"),
    ):
        monkeypatch.setattr(driver, name, counting(getattr(driver, name)))

    async def pays(number: int) -> bool:
        nonlocal paying_task, before_it
        async with host.transaction() as connection:
            await host.order(connection, f"{number:02}")
            before_it = number
            call = gateway.execute_in(connection, command, idempotency_key=f"order-{number + 1}")
            paying_task = asyncio.create_task(call)
            await asyncio.wait([paying_task])
            paid, paying_task = not paying_task.cancelled() and paying_task.result() is not None, None
            await host.order(connection, f"{number:02} again")
        return paid

    statements = 0
    while not await pays(statements):
        assert await available(gateway) == 990
        statements += 1
    assert statements >= 5
    assert await available(gateway) == 980
    assert len(await host.orders()) == 2 * (statements + 1)
    await assert_sound(gateway)


@pytest.mark.parametrize("host_kind", ALL_HOSTS, indirect=True)
async def test_of_two_commands_at_once_on_a_connection_one_is_refused_and_the_other_pays(
    gateway: Gateway, host: Host
) -> None:
    command = await paying(gateway)
    async with host.transaction() as connection:
        others = [connection]
        if isinstance(connection, AsyncSession):
            others.append(await connection.connection())
        for number, other in enumerate(others):
            outcomes = await asyncio.gather(
                gateway.execute_in(connection, command, idempotency_key=f"order-{number}"),
                gateway.execute_in(other, command, idempotency_key=f"another-{number}"),
                return_exceptions=True,
            )
            paid, refused = sorted(outcomes, key=lambda each: isinstance(each, InvalidInput))
            assert isinstance(paid, PaymentResult)
            assert isinstance(refused, InvalidInput)
            assert [(error.field, error.code) for error in refused.errors] == [("connection", "connection_in_use")]
        await gateway.execute_in(connection, command, idempotency_key="later")
    assert await available(gateway) == 1_000 - 10 * (len(others) + 1)
    await assert_sound(gateway)


@pytest.mark.parametrize("host_kind", ["sqlite connection", "postgres connection"], indirect=True)
@pytest.mark.parametrize("written", [True, False])
async def test_the_example_of_an_order_is_repeated_after_a_commit_without_an_answer_and_paid_once(
    gateway: Gateway, database_url: str, *, written: bool
) -> None:
    example = runpy.run_path(str(EXAMPLE))
    engine = Host("example", database_url).engine
    async with engine.begin() as connection:
        await connection.run_sync(example["metadata"].create_all)
    ada = await customers(gateway)
    await gateway.execute(MakeDeposit(account_id=ada.id, amount=Money(9_000, "EUR"), owner_id=None))
    place_order = partial(example["place_order"], gateway, engine, "ada", "1001", 1)
    with losing_one_commit(engine, written=written):
        assert await place_order() == "ordered and paid"
    assert await place_order() == "ordered and paid"
    with pytest.raises(ValueError, match="another order"):
        await example["place_order"](gateway, engine, "bob", "1001", 1)
    command = await paying(gateway, example["PRICE_MINOR"])
    command = replace(command, order=replace(command.order, merchant_id=UserId("bookshop")))
    await gateway.execute(command, idempotency_key="order-1001", owner_id=ada.owner_id)  # One key through both doors.
    assert await available(gateway) == 9_000 - example["PRICE_MINOR"]
    await assert_sound(gateway)
    await engine.dispose()


@contextmanager
def losing_one_commit(engine: AsyncEngine, *, written: bool) -> Generator[None]:
    dialect: Any = engine.sync_engine.dialect
    commit = dialect.do_commit

    def lost(connection: Any) -> None:
        dialect.do_commit = commit
        (commit if written else dialect.do_rollback)(connection)
        raise OperationalError("COMMIT", None, ConnectionError("The answer was lost."))

    dialect.do_commit = lost
    yield
    assert dialect.do_commit is not lost
