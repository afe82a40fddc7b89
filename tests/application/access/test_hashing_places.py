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


class Crowd:
    """Counts who has a place."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.order: list[Purpose] = []

    async def hash(self, places: HashingPlaces, purpose: Purpose) -> None:
        async with places.place(purpose), self._counted(purpose):
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
