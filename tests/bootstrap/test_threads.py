"""Gateways for threads: any thread calls, one event loop answers, and whatever else would wait for ever is told so."""

import asyncio
import gc
import inspect
import os
import runpy
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from math import inf
from pathlib import Path
from random import Random
from time import process_time
from typing import Any

import pytest

from gateway import (
    AccountKey,
    AccountKind,
    Gateway,
    GatewayClosed,
    InvalidInput,
    MakeDeposit,
    Money,
    OpenAccount,
    Pay,
    PaymentOrder,
    PaymentResult,
    Settings,
    StartRefused,
    SyncGateway,
    UserId,
    WrongEventLoop,
    currency_code,
    in_memory_gateway,
    open_gateway,
    open_gateway_sync,
)
from gateway.application import sync_gateway
from gateway.application.engine import loop_calls
from gateway.application.sync_gateway import Blocking, SyncPart
from gateway.refusals import InsufficientFunds

EXAMPLE = Path(__file__).parents[2] / "examples" / "threaded_worker.py"
THREADS = 8
PAYMENTS = 1_000
ADA, SHOP = UserId("ada"), UserId("shop")
ORDER = PaymentOrder(customer_id=ADA, merchant_id=SHOP, amount=Money(1, "EUR"))
SECONDS_MAX = 60
Opener = Callable[[], AbstractAsyncContextManager[Gateway]]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    match request.param:
        case "memory":
            return in_memory_gateway
        case "sqlite":
            return partial(open_gateway, tmp_path / "ledger.db")
        case _:
            return partial(open_gateway, request.getfixturevalue("postgres_url"))


@pytest.fixture
def gateway() -> Iterator[SyncGateway]:
    with open_gateway_sync(in_memory_gateway) as gateway:
        fund(gateway)
        yield gateway


def fund(gateway: SyncGateway) -> None:
    account = gateway.accounts.open_customer(ADA, "EUR")
    gateway.accounts.open_merchant(SHOP, "EUR")
    gateway.execute(MakeDeposit(account_id=account.id, amount=Money(5_000, "EUR"), owner_id=None))


def pay(gateway: SyncGateway, number: int) -> PaymentResult:
    return gateway.execute(Pay(order=ORDER), idempotency_key=f"order-{number}", owner_id=ADA)


def available(gateway: SyncGateway) -> int:
    [account] = gateway.queries.accounts_of(ADA)
    return account.available


def test_threads_pay_each_order_once_on_every_storage(opener: Opener) -> None:
    with open_gateway_sync(opener) as gateway:
        fund(gateway)
        with ThreadPoolExecutor(THREADS) as threads:
            results = list(threads.map(lambda number: pay(gateway, number % 20), range(80)))
        assert len({result.payment.id for result in results}) == 20
        assert available(gateway) == 4_980


def test_threads_pay_at_a_third_of_the_pace_of_coroutines_or_faster() -> None:
    def seconds_of_threads() -> float:
        with open_gateway_sync(in_memory_gateway) as gateway, ThreadPoolExecutor(THREADS) as threads:
            fund(gateway)
            began = process_time()
            list(threads.map(partial(pay, gateway), range(PAYMENTS)))
            assert available(gateway) == 4_000
            return process_time() - began

    async def seconds_of_coroutines() -> float:
        async with in_memory_gateway() as gateway:
            await asyncio.to_thread(fund, gateway.sync)
            numbers = iter(range(PAYMENTS))

            async def pay_the_next() -> None:
                for number in numbers:
                    await gateway.execute(Pay(order=ORDER), idempotency_key=f"order-{number}", owner_id=ADA)

            began = process_time()
            await asyncio.gather(*(pay_the_next() for _ in range(THREADS)))
            return process_time() - began

    # Processor time of all threads; the least of ten at most: others use the machine, and threads then wait for the
    # lock of the interpreter more often.
    threads, coroutines = inf, 0.0
    for _ in range(10):
        threads, coroutines = min(threads, seconds_of_threads()), asyncio.run(seconds_of_coroutines())
        if threads <= 3 * coroutines:
            break
    assert threads <= 3 * coroutines


def test_a_refusal_and_a_query_reach_the_thread_that_asked(gateway: SyncGateway) -> None:
    too_much = PaymentOrder(customer_id=ADA, merchant_id=SHOP, amount=Money(99_999, "EUR"))
    with pytest.raises(InsufficientFunds):
        gateway.execute(Pay(order=too_much))
    events = gateway.events.read(limit=10)
    assert events[-1].type == "payment.failed"
    assert [event.position for event in events] == list(range(1, len(events) + 1))


def test_a_refused_start_reaches_the_thread_that_opens() -> None:
    before = set(threading.enumerate())
    with pytest.raises(StartRefused), open_gateway_sync(Settings(environment="production", database_url="memory://")):
        pass
    with pytest.raises(InvalidInput), open_gateway_sync(in_memory_gateway, worker=True):
        pass
    assert not set(threading.enumerate()) - before


def test_calls_that_run_are_answered_and_later_ones_are_refused() -> None:
    before = set(threading.enumerate())
    with ThreadPoolExecutor(THREADS) as others:
        with open_gateway_sync(in_memory_gateway) as gateway:
            fund(gateway)
            paying = [others.submit(pay, gateway, number) for number in range(THREADS)]
        answered = [future.exception(SECONDS_MAX) for future in paying]
    assert {type(error) for error in answered} <= {type(None), GatewayClosed}
    with pytest.raises(GatewayClosed):
        pay(gateway, 0)
    assert not set(threading.enumerate()) - before


def test_a_call_that_was_handed_over_is_answered_by_a_gateway_that_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    handed_over = threading.Event()
    hand_over = loop_calls.LoopCalls._hand_over  # noqa: SLF001 - to know when it was.

    def telling(self: loop_calls.LoopCalls, begin: Callable[[], None]) -> None:
        hand_over(self, begin)
        handed_over.set()

    with ThreadPoolExecutor(1) as other:
        with open_gateway_sync(in_memory_gateway) as gateway:
            fund(gateway)
            monkeypatch.setattr(loop_calls.LoopCalls, "_hand_over", telling)
            paying = other.submit(pay, gateway, 1)
            assert handed_over.wait(SECONDS_MAX)
        assert paying.result(SECONDS_MAX).payment.amount == Money(1, "EUR")


def test_following_events_ends_when_the_gateway_closes() -> None:
    first = Future[str]()

    def follow(gateway: SyncGateway) -> int:
        count = 0
        for event in gateway.events.follow():
            count += 1
            if not first.done():
                first.set_result(event.type)
        return count

    with ThreadPoolExecutor(1) as other:
        with open_gateway_sync(in_memory_gateway) as gateway:
            following = other.submit(follow, gateway)
            gateway.execute(OpenAccount(key=AccountKey(ADA, currency_code("EUR"), AccountKind.CUSTOMER)))
            assert first.result(SECONDS_MAX) == "account.opened"
        assert following.result(SECONDS_MAX) >= 1


class Interrupted(BaseException):
    """What a signal handler raises: as Ctrl-C, or the soft time limit of Celery."""


def once(monkeypatch: pytest.MonkeyPatch, gateway: SyncGateway, name: str, happening: Callable[[], object]) -> None:
    """Let something happen when the loop of the gateway is called next: within a call that is being handed over."""
    loop: Any = gateway.calls._loop  # noqa: SLF001 - as above.
    method = getattr(loop, name)

    def first(*args: Any) -> Any:
        monkeypatch.setattr(loop, name, method)
        happening()
        return method(*args)

    monkeypatch.setattr(loop, name, first)


def within_a_minute(call: Callable[[], Any]) -> Any:
    """The result of a call in a thread that does not hold up the tests if it waits for ever."""
    result = Future[Any]()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised below.
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return result.result(SECONDS_MAX)


def test_an_exception_of_a_signal_while_a_call_is_handed_over_stops_no_later_call(
    gateway: SyncGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise Interrupted

    once(monkeypatch, gateway, "call_soon_threadsafe", interrupt)
    with pytest.raises(Interrupted):
        pay(gateway, 1)
    assert within_a_minute(partial(available, gateway)) == 5_000
    assert within_a_minute(partial(pay, gateway, 1)).payment.amount == Money(1, "EUR")


def test_exceptions_of_signals_at_any_moment_stop_no_later_call(gateway: SyncGateway) -> None:
    def interrupt(*_: object) -> None:
        raise Interrupted

    interrupted, moments = 0, Random(1)  # noqa: S311 - no secrets.
    handler = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(500):
            try:
                signal.setitimer(signal.ITIMER_REAL, moments.uniform(5e-6, 4e-4))
                available(gateway)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Interrupted:
                interrupted += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert interrupted
    assert within_a_minute(partial(available, gateway)) == 5_000


def test_a_signal_handler_or_finalizer_may_call_while_a_call_is_handed_over(
    gateway: SyncGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    once(monkeypatch, gateway, "call_soon_threadsafe", partial(pay, gateway, 1))
    within_a_minute(partial(available, gateway))
    assert within_a_minute(partial(available, gateway)) == 4_999


def test_an_abandoned_iteration_over_events_may_be_collected_while_a_call_is_handed_over(
    gateway: SyncGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Job:
        """In a reference cycle, so that the garbage collector is what ends its iteration."""

        def __init__(self) -> None:
            self.itself, self.events = self, gateway.events.follow()
            next(self.events)

    gc.disable()
    try:
        Job()
        once(monkeypatch, gateway, "call_soon_threadsafe", gc.collect)
        assert within_a_minute(partial(available, gateway)) == 5_000
    finally:
        gc.enable()


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """A shell starts background jobs, and so this run perhaps, with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
def test_ctrl_c_in_an_iteration_over_events_is_itself_and_leaves_nothing_running(gateway: SyncGateway) -> None:
    read = len(gateway.events.read(limit=1_000))
    following = gateway.events.follow(after=read, poll_seconds=3_600)
    main = threading.get_ident()

    def interrupt_it() -> None:
        while not gateway.calls._endless:  # noqa: SLF001 - nothing tells.
            available(gateway)
        signal.pthread_kill(main, signal.SIGINT)

    with ThreadPoolExecutor(1) as other:
        interrupting = other.submit(interrupt_it)
        with pytest.raises(KeyboardInterrupt):
            next(following)
        interrupting.result(SECONDS_MAX)
    available(gateway)  # The loop has begun to end the iteration, and ends it within two rounds.
    available(gateway)
    assert gateway.calls._endless == set()  # noqa: SLF001 - to see what is left.
    assert list(following) == []


@pytest.mark.usefixtures("heeds_ctrl_c")
def test_ctrl_c_while_a_gateway_opens_leaves_none_open() -> None:
    main, closed = threading.get_ident(), threading.Event()
    interrupted = threading.Event()

    @asynccontextmanager
    async def opening() -> AsyncIterator[Gateway]:
        async with in_memory_gateway(worker=True) as gateway:
            signal.pthread_kill(main, signal.SIGINT)
            await asyncio.to_thread(interrupted.wait, SECONDS_MAX)
            yield gateway
        closed.set()

    with pytest.raises(KeyboardInterrupt), open_gateway_sync(opening):
        pass
    interrupted.set()
    assert closed.wait(SECONDS_MAX)


def test_threads_of_a_program_are_told_that_its_gateway_is_closed(opener: Opener) -> None:
    def call_until_the_end(gateway: SyncGateway) -> None:
        while True:
            gateway.accounts.open_customer(ADA, "EUR")

    def follow_until_the_end(gateway: SyncGateway, begun: threading.Event) -> None:
        for _ in gateway.events.follow():
            begun.set()

    async def program(threads: ThreadPoolExecutor) -> tuple[Gateway, list[Future[Any]]]:
        async with opener() as gateway:
            begun = threading.Event()
            calling = [threads.submit(call_until_the_end, gateway.sync) for _ in range(2)]
            calling.append(threads.submit(follow_until_the_end, gateway.sync, begun))
            assert await asyncio.to_thread(begun.wait, SECONDS_MAX)
        # The loop goes on, and so would queries.
        for sync in (gateway.sync, gateway.sync):
            with pytest.raises(GatewayClosed):
                await asyncio.to_thread(sync.queries.accounts_of, ADA)
        return gateway, calling

    with ThreadPoolExecutor(3) as threads:
        gateway, calling = asyncio.run(program(threads))
        assert [type(each.exception(SECONDS_MAX)) for each in calling] == [GatewayClosed, GatewayClosed, type(None)]
        with pytest.raises(GatewayClosed):
            gateway.sync.accounts.open_customer(ADA, "EUR")


async def test_a_blocking_call_in_a_thread_with_a_running_loop_is_refused_and_nothing_has_moved() -> None:
    async with in_memory_gateway() as gateway:
        await asyncio.to_thread(fund, gateway.sync)
        with pytest.raises(WrongEventLoop, match="to_thread"):
            pay(gateway.sync, 1)
        assert await asyncio.to_thread(available, gateway.sync) == 5_000
        await asyncio.to_thread(pay, gateway.sync, 1)
        assert await asyncio.to_thread(available, gateway.sync) == 4_999


def test_a_forked_process_is_told_to_open_its_own(gateway: SyncGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    with pytest.raises(GatewayClosed, match="fork"):
        pay(gateway, 1)
    monkeypatch.undo()
    assert available(gateway) == 5_000


def test_arguments_that_a_method_does_not_have_are_a_type_error(gateway: SyncGateway) -> None:
    method: Any = gateway.queries.accounts_of
    with pytest.raises(TypeError):
        method(ADA, "more")


def blocking_parts() -> list[type[SyncPart[Any]]]:
    kinds: list[Any] = [kind for _, kind in inspect.getmembers(sync_gateway, inspect.isclass)]
    return [kind for kind in kinds if kind.__base__ is SyncPart]


@pytest.mark.parametrize("kind", blocking_parts())
def test_every_method_of_a_part_has_a_blocking_one(kind: type[SyncPart[Any]]) -> None:
    [part] = [base.__args__[0] for base in kind.__orig_bases__]  # type: ignore[attr-defined]
    wanted = {
        name
        for name, member in vars(part).items()
        if inspect.iscoroutinefunction(member)
        and not name.startswith("_")
        and not name.endswith("_command")
        and name != "close"  # The gateway closes its parts.
    }
    found = {name for name, member in vars(kind).items() if isinstance(member, Blocking)}
    assert wanted <= found
    assert all(getattr(kind, name).__doc__ == getattr(part, name).__doc__ for name in found)


def test_the_example_of_a_worker_settles_each_invoice_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE))["main"](tmp_path / "worker.db")
    assert capsys.readouterr().out.split() == ["66", "14", "100"]
