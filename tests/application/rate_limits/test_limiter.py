"""Rate limits over several processes, in virtual time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapters.memory.rate_budgets import BUCKETS_MAX, MemoryRateBudgets
from gateway.application.errors import RateLimited
from gateway.application.ports.rate_budgets import ChangeOfBudget
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.application.rate_limits import limiter as module
from gateway.application.rate_limits.bucket import NANOSECONDS, RateLimit
from gateway.application.rate_limits.limiter import NOT_DRAWN, RateLimiter
from support.virtual_time import in_virtual_time

LIMIT = RateLimit(name="requests", count=3_000, seconds=60)
ROUND_TRIP_SECONDS = 0.004


class Clock:
    """Nanoseconds of the loop's time."""

    def __call__(self) -> int:
        return round(asyncio.get_running_loop().time() * NANOSECONDS)


class Budgets(MemoryRateBudgets):
    """Budgets that are a round trip away, and may be unavailable."""

    def __init__(self) -> None:
        super().__init__(Clock())
        self.updates = 0
        self.is_away = False

    async def update(self, scope: str, change: ChangeOfBudget) -> None:
        await asyncio.sleep(ROUND_TRIP_SECONDS)
        if self.is_away:
            raise StorageUnavailable("Away.")
        self.updates += 1
        await super().update(scope, change)


@dataclass
class Client:
    """Sends requests to processes at a rate, and counts those that are let through."""

    processes: Sequence[RateLimiter]
    key: str = "usr_1"
    passed: list[float] = field(default_factory=list[float])
    refused: list[float] = field(default_factory=list[float])

    async def send(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            await self.processes[number % len(self.processes)].take(self.key)
        except RateLimited:
            self.refused.append(loop.time())
        else:
            self.passed.append(loop.time())

    async def flood(self, *, per_second: int, seconds: float) -> None:
        requests: list[asyncio.Task[None]] = []
        for number in range(int(per_second * seconds)):
            requests.append(asyncio.create_task(self.send(number)))
            await asyncio.sleep(1 / per_second)
        await asyncio.gather(*requests)


def processes_of(budgets: MemoryRateBudgets, number: int, limit: RateLimit = LIMIT) -> list[RateLimiter]:
    return [RateLimiter(limit, budgets, Clock(), processes_max=number) for _ in range(number)]


def most_in(limit: RateLimit, passed: Sequence[float]) -> float:
    """The largest share of what the limit allows that was let through in any time."""
    return max(
        (last - first + 1) / (limit.count + (passed[last] - passed[first]) * limit.count / limit.seconds)
        for first in range(0, len(passed), 97)
        for last in range(first, len(passed), 89)
    )


@pytest.mark.parametrize("number", [1, 4, 8])
def test_processes_together_let_at_most_one_and_a_fifth_of_the_limit_through(number: int) -> None:
    async def work() -> None:
        client = Client(processes_of(Budgets(), number))
        await client.flood(per_second=200, seconds=40)
        assert client.refused
        assert 0.9 <= most_in(LIMIT, client.passed) <= 1.2
        for process in client.processes:
            await process.close()

    in_virtual_time(work)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 6),
    st.integers(1, 400),
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 60), st.floats(0, 3)), min_size=1, max_size=40),
)
def test_bursts_at_any_process_never_pass_one_and_a_fifth_of_the_limit(
    number: int, count: int, bursts: list[tuple[int, int, float]]
) -> None:
    async def work() -> None:
        limit = RateLimit(name="requests", count=count, seconds=10)
        client = Client(processes_of(Budgets(), number, limit))
        for index, size, pause in bursts:
            await asyncio.gather(*(client.send(index) for _ in range(size)))
            await asyncio.sleep(pause)
        for first, since in enumerate(client.passed):
            for last in range(first, len(client.passed)):
                allowed = limit.count + (client.passed[last] - since) * limit.count / limit.seconds
                assert last - first + 1 <= 1.2 * allowed + 1
        for process in client.processes:
            await process.close()

    in_virtual_time(work)


def test_requests_within_the_limit_are_never_refused() -> None:
    async def work() -> None:
        client = Client(processes_of(Budgets(), 4))
        await client.flood(per_second=45, seconds=80)
        assert client.refused == []

    in_virtual_time(work)


def test_a_key_with_few_requests_never_draws() -> None:
    async def work() -> None:
        budgets = Budgets()
        client = Client(processes_of(budgets, 4))
        for number in range(100):
            await client.send(number)
            await asyncio.sleep(0.5)
        assert budgets.updates == 0

    in_virtual_time(work)


def test_few_requests_of_many_wait_for_a_draw() -> None:
    async def work() -> None:
        budgets = Budgets()
        client = Client(processes_of(budgets, 1))
        await client.flood(per_second=45, seconds=40)
        assert budgets.updates < len(client.passed) / 20
        began = asyncio.get_running_loop().time()
        await client.processes[0].take("usr_1")
        assert asyncio.get_running_loop().time() == began

    in_virtual_time(work)


def test_drawn_tokens_are_good_for_a_fortieth_of_the_window() -> None:
    async def work() -> None:
        process = RateLimiter(LIMIT, Budgets(), Clock(), processes_max=1_000)  # Too many for buckets of their own.
        await Client([process]).flood(per_second=45, seconds=10)
        assert process.try_take("usr_1") != NOT_DRAWN
        await asyncio.sleep(LIMIT.seconds / 40)
        assert process.try_take("usr_1") == NOT_DRAWN
        await process.close()

    in_virtual_time(work)


def test_one_key_does_not_use_up_the_tokens_of_another() -> None:
    async def work() -> None:
        processes = processes_of(Budgets(), 1)
        client = Client(processes)
        await client.flood(per_second=500, seconds=8)
        assert client.refused
        await processes[0].take("usr_2", 500)

    in_virtual_time(work)


def test_a_refusal_tells_when_to_come_again() -> None:
    async def work() -> None:
        [process] = processes_of(Budgets(), 1, RateLimit(name="logins", count=6, seconds=60))
        for _ in range(6):
            await process.take("address")
        with pytest.raises(RateLimited) as refused:
            await process.take("address")
        seconds = refused.value.facts["retry_after_seconds"]
        assert seconds == 10
        await asyncio.sleep(seconds)
        await process.take("address")

    in_virtual_time(work)


def test_who_is_refused_costs_the_storage_next_to_nothing() -> None:
    async def work() -> None:
        budgets = Budgets()
        client = Client(processes_of(budgets, 1, RateLimit(name="logins", count=6, seconds=60)))
        await client.flood(per_second=100, seconds=30)
        assert len(client.refused) > 2_900
        assert budgets.updates < 70

    in_virtual_time(work)


def test_many_tokens_are_taken_together_or_not_at_all() -> None:
    async def work() -> None:
        [process] = processes_of(Budgets(), 1)
        await process.take("usr_1", 2_500)
        with pytest.raises(RateLimited) as refused:
            await process.take("usr_1", 800)
        assert refused.value.facts["retry_after_seconds"] == 6
        await process.take("usr_1", 450)

    in_virtual_time(work)


def test_tokens_that_the_process_has_count_for_many() -> None:
    async def work() -> None:
        [process] = processes_of(Budgets(), 1, RateLimit(name="requests", count=500, seconds=60))
        await process.take("usr_1", 50)  # The bucket of the process itself.
        for _ in range(2):
            await process.take("usr_1")
        left = process.left("usr_1")
        assert left == 498  # One is drawn already, and the others are in the bucket of all.
        await process.take("usr_1", left)
        with pytest.raises(RateLimited):
            await process.take("usr_1", 2)

    in_virtual_time(work)


def test_more_than_the_limit_takes_all_of_it() -> None:
    async def work() -> None:
        [process] = processes_of(Budgets(), 1, RateLimit(name="requests", count=500, seconds=60))
        await process.take("usr_1", 1_000)
        with pytest.raises(RateLimited):
            await process.take("usr_1", 60)

    in_virtual_time(work)


def test_nobody_is_refused_while_the_storage_is_away() -> None:
    async def work() -> None:
        budgets = Budgets()
        [process] = processes_of(budgets, 1, RateLimit(name="logins", count=6, seconds=60))
        budgets.is_away = True
        for _ in range(20):
            await process.take("address")

    in_virtual_time(work)


def test_the_keys_of_a_process_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEASES_MAX", 100)

    async def work() -> None:
        [process] = processes_of(Budgets(), 1)
        for number in range(1_000):
            assert process.try_take(f"usr_{number}") != NOT_DRAWN
            assert len(vars(process)["_leases"]) <= 100

    in_virtual_time(work)


def test_full_buckets_in_memory_are_forgotten() -> None:
    async def work() -> None:
        now = 0
        budgets = MemoryRateBudgets(lambda: now)
        for number in range(BUCKETS_MAX * 3):
            now += 2
            await budgets.update(str(number), lambda _, present: present + 1)
            assert len(vars(budgets)["_full_at"]) <= BUCKETS_MAX

    asyncio.run(work())
