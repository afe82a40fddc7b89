"""Places for hashing: logins come first, and a known network before others."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from gateway.application.access.hashing_places import HashingPlaces, Purpose
from gateway.application.errors import Overloaded
from support.virtual_time import in_virtual_time

HASH_SECONDS = 0.026


def test_no_more_than_the_places_are_taken_at_once() -> None:
    async def work() -> None:
        places, crowd = HashingPlaces(places=3, waiting_max=64), Crowd()
        await asyncio.gather(*(crowd.hash(places, Purpose(number % 3)) for number in range(60)))
        assert crowd.most == 3
        assert crowd.now == 0

    in_virtual_time(work)


def test_a_known_network_is_first_then_other_logins_then_new_passwords() -> None:
    async def work() -> None:
        places, crowd = HashingPlaces(places=1, waiting_max=64), Crowd()
        arrivals = [Purpose.LOGIN, Purpose.NEW_PASSWORD, Purpose.LOGIN, Purpose.KNOWN_LOGIN, Purpose.KNOWN_LOGIN]
        await asyncio.gather(*(crowd.hash(places, purpose) for purpose in arrivals))
        assert crowd.order == [
            Purpose.LOGIN,  # It was there first.
            Purpose.KNOWN_LOGIN,
            Purpose.KNOWN_LOGIN,
            Purpose.LOGIN,
            Purpose.NEW_PASSWORD,
        ]

    in_virtual_time(work)


def test_new_passwords_leave_one_place_to_logins() -> None:
    async def work() -> None:
        places, crowd = HashingPlaces(places=3, waiting_max=64), Crowd()
        registrations = [asyncio.create_task(crowd.hash(places, Purpose.NEW_PASSWORD)) for _ in range(9)]
        await asyncio.sleep(0)
        assert crowd.now == 2
        began = asyncio.get_running_loop().time()
        await crowd.hash(places, Purpose.LOGIN)
        assert asyncio.get_running_loop().time() - began < 1.1 * HASH_SECONDS
        await asyncio.gather(*registrations)

    in_virtual_time(work)


def test_200_registrations_a_second_do_not_hold_up_logins() -> None:
    async def work() -> None:
        loop, places, crowd = asyncio.get_running_loop(), HashingPlaces(places=2, waiting_max=64), Crowd()
        waits: list[float] = []
        registrations: list[asyncio.Task[None]] = []

        async def login(purpose: Purpose) -> None:
            began = loop.time()
            await crowd.hash(places, purpose)
            waits.append(loop.time() - began)

        for number in range(1_000):
            registrations.append(asyncio.create_task(crowd.hash(places, Purpose.NEW_PASSWORD)))
            if number % 20 == 0:
                registrations.append(asyncio.create_task(login(Purpose(number // 20 % 2))))
            await asyncio.sleep(1 / 200)
        results = await asyncio.gather(*registrations, return_exceptions=True)
        assert len(waits) == 50
        assert max(waits) <= 2.1 * HASH_SECONDS
        assert sum(isinstance(result, Overloaded) for result in results) > 500
        assert crowd.most == 2

    in_virtual_time(work)


def test_200_wrong_logins_a_second_do_not_hold_up_users_whose_networks_are_known() -> None:
    async def work() -> None:
        loop, places, crowd = asyncio.get_running_loop(), HashingPlaces(places=2, waiting_max=64), Crowd()
        tasks: list[asyncio.Task[None]] = []
        waits: list[float] = []

        async def login() -> None:
            began = loop.time()
            await crowd.hash(places, Purpose.KNOWN_LOGIN)
            waits.append(loop.time() - began)

        for number in range(1_000):
            tasks.append(asyncio.create_task(crowd.hash(places, Purpose.LOGIN)))
            if number % 20 == 0:
                tasks.append(asyncio.create_task(login()))
            await asyncio.sleep(1 / 200)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(waits) == 50
        assert max(waits) <= 2.1 * HASH_SECONDS

    in_virtual_time(work)


def test_a_full_queue_of_one_purpose_leaves_room_for_the_others() -> None:
    async def work() -> None:
        places, crowd = HashingPlaces(places=2, waiting_max=1), Crowd()
        logins = [asyncio.create_task(crowd.hash(places, Purpose.LOGIN)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await crowd.hash(places, Purpose.LOGIN)
        await asyncio.gather(*logins, crowd.hash(places, Purpose.KNOWN_LOGIN), crowd.hash(places, Purpose.NEW_PASSWORD))

    in_virtual_time(work)


def test_who_goes_away_while_they_wait_leaves_their_place_to_others() -> None:
    async def work() -> None:
        places, crowd = HashingPlaces(places=2, waiting_max=64), Crowd()
        tasks = [asyncio.create_task(crowd.hash(places, Purpose(number % 3))) for number in range(30)]
        await asyncio.sleep(HASH_SECONDS)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert crowd.now == 0
        await asyncio.gather(*(crowd.hash(places, Purpose.LOGIN) for _ in range(2)))
        assert crowd.most == 2
        crowd.most = 0
        await asyncio.gather(*(crowd.hash(places, Purpose.LOGIN) for _ in range(9)))
        assert crowd.most == 2

    in_virtual_time(work)


def test_lines_of_one_queue_take_turns() -> None:
    async def work() -> None:
        places, crowd = HashingPlaces(places=1, waiting_max=64), Crowd()
        arrivals = ["many"] * 6 + ["few"] * 2 + ["one"]
        await asyncio.gather(*(crowd.hash(places, Purpose.LOGIN, line=line) for line in arrivals))
        assert crowd.lines == ["many", "many", "few", "one", "many", "few", "many", "many", "many"]

    in_virtual_time(work)


def test_one_line_cannot_fill_a_queue() -> None:
    async def work() -> None:
        places, crowd = HashingPlaces(places=1, waiting_max=4), Crowd()
        many = [asyncio.create_task(crowd.hash(places, Purpose.LOGIN, line="many")) for _ in range(5)]
        others = [asyncio.create_task(crowd.hash(places, Purpose.LOGIN, line=line)) for line in ("a", "b", "c", "d")]
        results = await asyncio.gather(*many, *others, return_exceptions=True)
        # One of them had the place already, and one waits. The last ones made room; there is none for a fifth line.
        assert [type(result) for result in results] == [type(None)] * 2 + [Overloaded] * 3 + [type(None)] * 3 + [
            Overloaded
        ]
        assert crowd.lines == ["many", "many", "a", "b", "c"]

    in_virtual_time(work)


def test_whose_line_is_as_long_as_the_longest_makes_no_room() -> None:
    async def work() -> None:
        places, crowd = HashingPlaces(places=1, waiting_max=4), Crowd()
        lines = ["first", "a", "a", "b", "b"]
        waiting = [asyncio.create_task(crowd.hash(places, Purpose.LOGIN, line=line)) for line in lines]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await crowd.hash(places, Purpose.LOGIN, line="b")
        await asyncio.gather(*waiting)

    in_virtual_time(work)


def test_of_those_who_are_to_be_alone_one_has_a_place_at_a_time_and_others_pass_them() -> None:
    async def work() -> None:
        loop, places, crowd = asyncio.get_running_loop(), HashingPlaces(places=3, waiting_max=64), Crowd()
        alone = [crowd.hash(places, Purpose.LOGIN, line="a", alone="a") for _ in range(4)]
        others = [crowd.hash(places, Purpose.LOGIN, line="b") for _ in range(4)]
        await asyncio.gather(*alone, *others)
        assert loop.time() == pytest.approx(4 * HASH_SECONDS)
        assert crowd.lines == ["a", "b", "b", "a", "b", "b", "a", "a"]

    in_virtual_time(work)


def test_who_goes_away_in_the_moment_of_being_refused_or_given_a_place_keeps_nobody_waiting() -> None:
    async def work() -> None:
        places, crowd = HashingPlaces(places=1, waiting_max=2), Crowd()
        first = asyncio.create_task(crowd.hash(places, Purpose.LOGIN, line="a"))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(crowd.hash(places, Purpose.LOGIN, line="a", alone="x")) for _ in range(2)]
        await asyncio.sleep(0)
        other = asyncio.create_task(crowd.hash(places, Purpose.LOGIN, line="b"))
        await asyncio.sleep(0)
        waiting[1].cancel()  # It was refused in favour of the other, and does not know yet.
        await first
        waiting[0].cancel()  # It was given the place, and does not know yet.
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError] * 2
        await asyncio.gather(other, crowd.hash(places, Purpose.LOGIN, alone="x"))
        assert crowd.now == 0

    in_virtual_time(work)


class Crowd:
    """Counts who has a place."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.order: list[Purpose] = []
        self.lines: list[str] = []

    async def hash(self, places: HashingPlaces, purpose: Purpose, *, line: str = "", alone: str = "") -> None:
        async with places.place(purpose, line=line, alone=alone), self._counted(purpose):
            self.lines.append(line)
            await asyncio.sleep(HASH_SECONDS)

    @asynccontextmanager
    async def _counted(self, purpose: Purpose) -> AsyncGenerator[None]:
        self.order.append(purpose)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            yield
        finally:
            self.now -= 1
