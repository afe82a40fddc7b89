"""Slow and dead names delay nobody else, and no thread outlives its use without being counted.

Most tests run in virtual time, with a stand-in for threads. The last ones use threads.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from ipaddress import ip_address
from itertools import count
from typing import Any

import pytest

from gateway.adapters.webhooks import lookup_lane, name_lookup
from gateway.adapters.webhooks.addresses import Address
from gateway.adapters.webhooks.name_lookup import (
    LOOKUP_SECONDS_MAX,
    SLOW_THREADS_MAX,
    THREADS_MAX,
    WAIT_SECONDS_MAX,
    NameLookup,
    NameNotResolved,
    system_lookup,
)
from gateway.application.errors import Overloaded, RateLimited
from support.virtual_time import in_virtual_time

ADDRESS = ip_address("192.0.2.7")
DEAD_SECONDS = 60.0
FLOODER, OTHER = "flooder", "other"


class Names:
    """Names in virtual time, and the threads that look them up.

    A name that begins with `dead` has no answer, and its thread ends after a minute; one with `slow` is answered after
    two seconds, one with `none` has no address; all others are answered after a hundredth of a second.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.running = 0
        self.dead = True
        """Whether names that begin with `dead` are."""
        self.lookup = NameLookup(self._answer, start=self._start)

    def begin(self, host: str, caller: str = OTHER) -> asyncio.Task[tuple[Address, ...]]:
        """Wait for a name in a task."""
        task = asyncio.create_task(self.lookup.addresses(host, caller=caller))
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return task

    async def flood(self, *, callers: int = 1, names: int = 100) -> list[asyncio.Task[tuple[Address, ...]]]:
        """Each caller asks for so many names that are dead, at once."""
        begun = [
            self.begin(f"dead-{who}-{name}", f"{FLOODER}-{who}") for name in range(names) for who in range(callers)
        ]
        await asyncio.sleep(0.1)
        return begun

    def _answer(self, host: str) -> Sequence[str]:
        if host.startswith(("dead", "none")) and (self.dead or host.startswith("none")):
            raise OSError("There is no such name.")
        return [str(ADDRESS)]

    def _start(self, host: str, work: Callable[[], None]) -> None:
        self.asked.append(host)
        self.running += 1
        seconds = {"dead": DEAD_SECONDS if self.dead else 0.01, "slow": 2.0}.get(host[:4], 0.01)
        asyncio.get_running_loop().call_later(seconds, self._run, work)

    def _run(self, work: Callable[[], None]) -> None:
        self.running -= 1
        work()


def with_names(work: Callable[[Names], Coroutine[Any, Any, None]]) -> None:
    """Run a test in virtual time."""

    async def run() -> None:
        await work(Names())

    in_virtual_time(run)


def test_one_callers_dead_names_leave_half_of_the_threads_to_others() -> None:
    async def run(names: Names) -> None:
        await names.flood(names=60)
        assert names.running == THREADS_MAX // 2
        # 200 new names of somebody else: each is answered, in a hundredth of a second.
        began = asyncio.get_running_loop().time()
        for number in range(200):
            assert await names.begin(f"new-{number}") == (ADDRESS,)
        assert asyncio.get_running_loop().time() - began < 2.1

    with_names(run)


@pytest.mark.parametrize(("flooders", "left"), [(1, 16), (3, 8), (7, 4), (31, 1)])
def test_callers_whose_names_are_dead_leave_threads_to_others(flooders: int, left: int) -> None:
    """They ask for new dead names all the time. Who came first has more threads until the first look-ups end."""

    async def run(names: Names) -> None:
        loop, first_end = asyncio.get_running_loop(), DEAD_SECONDS + 1
        free: list[int] = []
        for number in count():
            for who in range(flooders):
                names.begin(f"dead-{who}-{number}", f"{FLOODER}-{who}")
            # Each look-up begins at another time, and ends at another time.
            await asyncio.sleep(0.37)
            if loop.time() > 3 * first_end:
                free.append(THREADS_MAX - names.running)
            if loop.time() > 6 * first_end:
                break
        assert min(free) >= left
        assert await names.begin("new") == (ADDRESS,)

    with_names(run)


def test_a_caller_has_a_share_of_the_lookups() -> None:
    async def run(names: Names) -> None:
        flood = await names.flood(names=lookup_lane.LOOKUPS_PER_CALLER_MAX + 1)
        assert [isinstance(each.exception(), RateLimited) for each in flood if each.done()] == [True]
        error = flood[-1].exception()
        assert isinstance(error, RateLimited)
        assert error.facts["retry_after_seconds"] == 1
        assert await names.begin("new") == (ADDRESS,)

    with_names(run)


def test_all_callers_together_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup_lane, "LOOKUPS_MAX", 100)

    async def run(names: Names) -> None:
        assert await names.begin("known") == (ADDRESS,)
        await names.flood(callers=2, names=50)
        with pytest.raises(Overloaded):
            await names.begin("new")
        # A name that was resolved lately waits for no unknown name, whoever asks.
        assert await names.begin("known") == (ADDRESS,)
        assert await names.begin("known", "flooder-0") == (ADDRESS,)

    with_names(run)


def test_waiting_callers_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_lookup, "THREADS_MAX", 2)

    async def run(names: Names) -> None:
        for who in "xy":
            names.begin(f"slow-{who}", who)
        begun = [names.begin(f"{who}-{number}", who) for who in "abc" for number in range(3)]
        await asyncio.wait(begun)
        # The first of each, then the second of each: not all of the first caller's before the others'.
        in_turns = [f"{who}-{number}" for number in range(3) for who in "abc"]
        assert names.asked == ["slow-x", "slow-y", *in_turns]

    with_names(run)


def test_who_has_waited_in_vain_leaves_the_queue_and_hears_that_the_name_was_not_looked_up() -> None:
    async def run(names: Names) -> None:
        flood = await names.flood(names=64)
        began = asyncio.get_running_loop().time()
        await asyncio.wait(flood)
        assert asyncio.get_running_loop().time() - began <= max(WAIT_SECONDS_MAX, LOOKUP_SECONDS_MAX)
        outcomes = [type(each.exception()) for each in flood]
        # These were looked up, and those were not: they waited for the caller's own ones.
        assert outcomes == [NameNotResolved] * 16 + [RateLimited] * 48
        assert len(names.asked) == 16
        # The 48 are not looked up when there are threads again, and count no more: 48 others may wait in their place.
        again = [names.begin(f"dead-again-{number}", "flooder-0") for number in range(49)]
        await asyncio.sleep(0.1)
        assert [isinstance(each.exception(), RateLimited) for each in again if each.done()] == [True]
        await asyncio.sleep(2 * DEAD_SECONDS)
        assert len(names.asked) == 16
        assert names.running == 0

    with_names(run)


def test_who_has_waited_for_others_in_vain_hears_that_too_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_lookup, "THREADS_MAX", 2)

    async def run(names: Names) -> None:
        await names.flood(callers=2, names=1)
        with pytest.raises(Overloaded):
            await names.begin("new")

    with_names(run)


def test_the_time_for_a_lookup_begins_when_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_lookup, "THREADS_MAX", 1)

    async def run(names: Names) -> None:
        begun = [names.begin(f"slow-{number}") for number in range(3)]
        # The third one has waited for four seconds, and takes two more.
        assert await begun[2] == (ADDRESS,)
        assert asyncio.get_running_loop().time() > LOOKUP_SECONDS_MAX

    with_names(run)


def test_a_name_that_is_dead_all_of_a_sudden_takes_its_owners_share_only() -> None:
    async def run(names: Names) -> None:
        names.dead = False
        for number in range(40):
            await names.begin(f"dead-{number}", FLOODER)
        assert await names.begin("known") == (ADDRESS,)
        names.dead = True
        for number in range(40):
            names.begin(f"dead-{number}", FLOODER)
        await asyncio.sleep(0.1)
        assert names.running == THREADS_MAX // 2
        began = asyncio.get_running_loop().time()
        assert await names.begin("known") == (ADDRESS,)
        assert asyncio.get_running_loop().time() - began < 0.1

    with_names(run)


def test_neither_new_nor_slow_names_take_the_threads_of_others() -> None:
    async def run(names: Names) -> None:
        assert await names.begin("known") == (ADDRESS,)
        slow = [f"slow-{number}" for number in range(THREADS_MAX)]
        assert await asyncio.gather(*(names.begin(host, host) for host in slow)) == [(ADDRESS,)] * THREADS_MAX
        # All threads for unknown names are occupied now, and all for slow ones.
        await names.flood(callers=THREADS_MAX, names=1)
        for host in slow:
            names.begin(host, host)
        await asyncio.sleep(0.1)
        assert names.running == THREADS_MAX + SLOW_THREADS_MAX
        began = asyncio.get_running_loop().time()
        assert await names.begin("known") == (ADDRESS,)
        assert asyncio.get_running_loop().time() - began < 0.1

    with_names(run)


def test_a_name_that_failed_quickly_does_not_take_the_threads_of_names_that_resolve() -> None:
    async def run(names: Names) -> None:
        for _ in range(2):
            with pytest.raises(NameNotResolved):
                await names.begin("none")
        await names.flood(callers=THREADS_MAX, names=1)
        with pytest.raises(Overloaded):
            await names.begin("none")

    with_names(run)


def test_one_name_occupies_one_thread_and_one_place_however_many_wait_for_it() -> None:
    async def run(names: Names) -> None:
        await names.flood(names=64)
        names.asked.clear()
        begun = [names.begin("dead-shared", who) for who in "ab" for _ in range(100)]
        await asyncio.wait(begun)
        assert {type(each.exception()) for each in begun} == {NameNotResolved}
        assert names.asked == ["dead-shared"]

    with_names(run)


def test_a_name_that_waits_for_one_caller_is_looked_up_at_the_turn_of_another() -> None:
    async def run(names: Names) -> None:
        await names.flood(names=16)
        waiting = names.begin("new", "flooder-0")
        await asyncio.sleep(0.1)
        assert not waiting.done()
        assert await names.begin("new") == (ADDRESS,) == await waiting
        assert names.asked.count("new") == 1

    with_names(run)


def test_a_name_goes_on_waiting_for_those_who_still_do() -> None:
    async def run(names: Names) -> None:
        await names.flood(names=16)
        first, second = names.begin("new", "flooder-0"), names.begin("new", "flooder-0")
        await asyncio.sleep(0.1)
        first.cancel()
        await asyncio.wait([first])
        names.dead = False
        assert await names.begin("new") == (ADDRESS,) == await second

    with_names(run)


def test_closing_ends_the_waiting() -> None:
    async def run(names: Names) -> None:
        flood = await names.flood(names=64)
        await names.lookup.close()
        await asyncio.wait(flood, timeout=0.1)
        assert all(each.cancelled() for each in flood)
        await asyncio.sleep(2 * DEAD_SECONDS)
        assert len(names.asked) == 16

    with_names(run)


async def test_addresses_are_parsed() -> None:
    lookup = NameLookup(lambda _host: ["192.0.2.7", "2001:db8::7", "fe80::1%eth0"])

    assert await lookup.addresses("shop.example", caller=OTHER) == (
        ip_address("192.0.2.7"),
        ip_address("2001:db8::7"),
        ip_address("fe80::1%eth0"),
    )


async def test_the_operating_system_knows_localhost() -> None:
    assert "127.0.0.1" in system_lookup("localhost")
    assert ip_address("127.0.0.1") in await NameLookup().addresses("localhost", caller=OTHER)


@pytest.mark.parametrize("error", [OSError("no such name"), UnicodeError("label too long"), None])
async def test_a_name_without_an_address_is_refused(error: Exception | None) -> None:
    def lookup(_host: str) -> Sequence[str]:
        if error is not None:
            raise error
        return []

    with pytest.raises(NameNotResolved):
        await NameLookup(lookup).addresses("shop.example", caller=OTHER)


async def test_without_a_further_thread_too_many_wait() -> None:
    def no_thread(_host: str, _work: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    lookup = NameLookup(start=no_thread)
    for _ in range(2 * THREADS_MAX):
        with pytest.raises(Overloaded):
            await lookup.addresses("shop.example", caller=OTHER)


async def test_a_canceled_caller_does_not_cancel_the_lookup_of_others() -> None:
    begun, end = threading.Event(), threading.Event()
    asked: list[str] = []

    def wait(host: str) -> Sequence[str]:
        asked.append(host)
        begun.set()
        end.wait(60)
        return [str(ADDRESS)]

    lookup = NameLookup(wait, seconds_max=60.0)
    first = asyncio.create_task(lookup.addresses("shop.example", caller=OTHER))
    second = asyncio.create_task(lookup.addresses("shop.example", caller=OTHER))
    assert await asyncio.to_thread(begun.wait, 60)
    first.cancel()
    await asyncio.sleep(0)
    end.set()

    assert await second == (ADDRESS,)
    assert asked == ["shop.example"]
