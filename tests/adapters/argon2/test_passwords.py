"""Argon2id keeps what every password hasher promises, and keeps out of the way."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import argon2
import pytest
import pytest_asyncio

from gateway.adapters.argon2.password_hasher import NICENESS, Argon2PasswordHasher
from gateway.application.ports.passwords import HashingOverloaded, PasswordCheck, PasswordHasher
from gateway.contracts.passwords import DOES_NOT_MATCH, MATCHES, PASSWORD, PasswordHasherContract


def cheap(*, threads: int = 2, waiting_max: int = 64, time_cost: int = 1) -> Argon2PasswordHasher:
    return Argon2PasswordHasher(threads=threads, waiting_max=waiting_max, time_cost=time_cost, memory_cost_kibibytes=8)


@pytest_asyncio.fixture(scope="session")
async def passwords() -> AsyncIterator[PasswordHasher]:
    hasher = cheap()
    yield hasher
    await hasher.close()


class TestArgon2Passwords(PasswordHasherContract):
    pass


async def test_the_defaults_are_the_least_that_owasp_advises() -> None:
    hasher = Argon2PasswordHasher()
    parameters = argon2.extract_parameters(await hasher.hash(PASSWORD))
    await hasher.close()
    assert (parameters.type, parameters.version) == (argon2.Type.ID, 19)
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19_456, 2, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="Threads have a priority of their own on Linux.")
async def test_hashing_threads_yield_to_the_event_loop() -> None:
    before = nicenesses()
    hasher = cheap(threads=3)
    await asyncio.gather(*(hasher.hash(PASSWORD) for _ in range(30)))
    hashing = [niceness for thread, niceness in nicenesses().items() if thread not in before]
    await hasher.close()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert hashing
    assert set(hashing) == {min(own + NICENESS, 19)}
    assert nicenesses()[os.getpid()] == own


async def test_a_hash_with_weaker_parameters_still_matches_but_is_outdated() -> None:
    weaker, stronger = cheap(time_cost=1), cheap(time_cost=2)
    stored = await weaker.hash(PASSWORD)
    assert await stronger.verify(stored, PASSWORD) == PasswordCheck(matches=True, outdated=True)
    assert await stronger.verify(stored, "wrong") == DOES_NOT_MATCH
    assert await stronger.verify(await stronger.hash(PASSWORD), PASSWORD) == MATCHES
    await weaker.close()
    await stronger.close()


async def test_the_hash_of_a_damaged_row_is_refused_whatever_argon2_calls_the_damage(passwords: PasswordHasher) -> None:
    stored = await passwords.hash(PASSWORD)
    for damaged in (stored[:-4], stored + "é", stored.replace("m=8", "m=é"), stored.replace("m=8", "m=0")):
        assert await passwords.verify(damaged, PASSWORD) == DOES_NOT_MATCH


@pytest.mark.parametrize("stored", [None, "", "broken", "$argon2id$v=19$broken"])
async def test_a_user_who_is_unknown_or_damaged_costs_what_a_wrong_password_costs(stored: str | None) -> None:
    hasher = Argon2PasswordHasher(time_cost=2, memory_cost_kibibytes=4096)
    real = await hasher.hash(PASSWORD)

    async def seconds(password_hash: str | None) -> float:
        start = time.process_time()  # Of all threads: other processes do not count.
        assert await hasher.verify(password_hash, "wrong") == DOES_NOT_MATCH
        return time.process_time() - start

    costs = [(await seconds(real), await seconds(stored)) for _ in range(15)]
    await hasher.close()
    # An answer without hashing would take a hundredth of the time; on a busy machine, one of fifteen is undisturbed.
    ratio = min(cost for _, cost in costs) / min(cost for cost, _ in costs)
    assert 0.5 < ratio < 2


async def test_the_event_loop_goes_on_while_passwords_are_hashed() -> None:
    hasher = Argon2PasswordHasher()
    work = asyncio.gather(*(hasher.hash(PASSWORD) for _ in range(4)))
    turns = 0
    while not work.done():
        await asyncio.sleep(0)
        turns += 1
    await work
    await hasher.close()
    assert turns > 100


async def test_no_more_passwords_are_worked_on_at_once_than_there_are_threads() -> None:
    before = set(threading.enumerate())
    hasher = cheap(threads=2)
    await asyncio.gather(*(hasher.hash(PASSWORD) for _ in range(30)))
    assert len(set(threading.enumerate()) - before) == 2
    await hasher.close()
    assert not set(threading.enumerate()) - before


class Gate:
    """Holds every thread that hashes, until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached = threading.Semaphore(0)
        self.open = threading.Event()
        true_hash = argon2.PasswordHasher.hash

        def held_hash(self_: argon2.PasswordHasher, password: str | bytes) -> str:
            self.reached.release()
            assert self.open.wait(60)
            return true_hash(self_, password)

        monkeypatch.setattr(argon2.PasswordHasher, "hash", held_hash)


async def test_one_password_too_many_is_refused_at_once_and_welcome_later(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = cheap(threads=1, waiting_max=2)
    gate = Gate(monkeypatch)
    taken = [asyncio.ensure_future(hasher.hash(PASSWORD)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(HashingOverloaded):
        await hasher.hash(PASSWORD)
    with pytest.raises(HashingOverloaded):
        await hasher.verify(None, PASSWORD)
    assert not any(work.done() for work in taken)
    gate.open.set()
    assert len(set(await asyncio.gather(*taken))) == 3
    assert await hasher.verify(await hasher.hash(PASSWORD), PASSWORD) == MATCHES
    await hasher.close()


async def test_whoever_goes_away_while_waiting_leaves_the_place_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = cheap(threads=1, waiting_max=1)
    gate = Gate(monkeypatch)
    working = asyncio.ensure_future(hasher.hash(PASSWORD))
    await asyncio.to_thread(gate.reached.acquire)
    for _ in range(5):
        waiting = asyncio.ensure_future(hasher.hash(PASSWORD))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    gate.open.set()
    assert await working
    await hasher.close()


async def test_whoever_goes_away_keeps_the_place_until_the_thread_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = cheap(threads=1, waiting_max=0)
    gate = Gate(monkeypatch)
    gone = asyncio.ensure_future(hasher.hash(PASSWORD))
    await asyncio.to_thread(gate.reached.acquire)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    with pytest.raises(HashingOverloaded):
        await hasher.hash(PASSWORD)
    gate.open.set()
    await hasher.close()


async def test_closing_finishes_what_was_taken_and_takes_no_more() -> None:
    hasher = cheap(threads=1, waiting_max=9)
    taken = [asyncio.ensure_future(hasher.hash(PASSWORD)) for _ in range(10)]
    await asyncio.sleep(0)
    await hasher.close()
    assert len(set(await asyncio.gather(*taken))) == 10
    for _ in range(20):
        with pytest.raises(RuntimeError):
            await hasher.hash(PASSWORD)


def nicenesses() -> dict[int, int]:
    """The niceness of each thread of this process."""
    return {
        int(each.name): os.getpriority(os.PRIO_PROCESS, int(each.name)) for each in Path("/proc/self/task").iterdir()
    }
