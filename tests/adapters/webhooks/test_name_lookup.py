"""Slow and dead names delay nobody else, and no thread outlives its use without being counted."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

import pytest

from gateway.adapters.webhooks import name_lookup
from gateway.adapters.webhooks.name_lookup import NameLookup, NameNotResolved, system_lookup


class DeadNames:
    """A look-up in which the names that begin with `dead` are never answered, until the test ends."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.begun = threading.Event()
        self.end = threading.Event()

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        self.begun.set()
        if host.startswith("dead"):
            self.end.wait(60)
        return ["192.0.2.7"]


@pytest.fixture(name="names")
def _names() -> Iterator[DeadNames]:
    names = DeadNames()
    yield names
    names.end.set()


async def test_addresses_are_parsed() -> None:
    lookup = NameLookup(lambda _host: ["192.0.2.7", "2001:db8::7", "fe80::1%eth0"])

    assert await lookup.addresses("shop.example") == (
        ip_address("192.0.2.7"),
        ip_address("2001:db8::7"),
        ip_address("fe80::1%eth0"),
    )


async def test_the_operating_system_knows_localhost() -> None:
    assert "127.0.0.1" in system_lookup("localhost")
    assert ip_address("127.0.0.1") in await NameLookup().addresses("localhost")


@pytest.mark.parametrize("error", [OSError("no such name"), UnicodeError("label too long"), None])
async def test_a_name_without_an_address_is_refused(error: Exception | None) -> None:
    def lookup(_host: str) -> Sequence[str]:
        if error is not None:
            raise error
        return []

    with pytest.raises(NameNotResolved):
        await NameLookup(lookup).addresses("shop.example")


async def test_a_dead_name_is_given_up(names: DeadNames) -> None:
    lookup = NameLookup(names, seconds_max=0.1)
    with pytest.raises(NameNotResolved):
        await lookup.addresses("dead.example")
    names.end.set()
    await lookup.close()


async def test_one_name_occupies_one_thread_however_many_wait_for_it(names: DeadNames) -> None:
    lookup = NameLookup(names, seconds_max=0.5)
    for _ in range(3):
        waiting = (lookup.addresses("dead.example") for _ in range(50))
        assert all(isinstance(each, NameNotResolved) for each in await asyncio.gather(*waiting, return_exceptions=True))
    assert names.asked == ["dead.example"]
    assert await lookup.addresses("shop.example")
    names.end.set()
    await lookup.close()


async def test_neither_new_nor_slow_names_take_the_threads_of_others(
    names: DeadNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_lookup, "THREADS_MAX", 4)
    monkeypatch.setattr(name_lookup, "SLOW_THREADS_MAX", 2)
    monkeypatch.setattr(name_lookup, "SLOW_SECONDS", 0.5)
    lookup = NameLookup(names, seconds_max=1.0)
    await lookup.addresses("shop.example")
    dead = [f"dead{number}.example" for number in range(6)]
    # New names take the threads for new names. A name that was fast does not need them.
    await asyncio.gather(*map(lookup.addresses, dead), return_exceptions=True)
    assert len(names.asked) == 1 + 4
    names.asked.clear()
    assert await lookup.addresses("shop.example")
    names.end.set()
    await asyncio.gather(*lookup._running.values())  # noqa: SLF001 - nothing else tells.
    names.end.clear()
    names.asked.clear()

    # Four of them were slow; slow names take the threads for slow names.
    await asyncio.gather(*map(lookup.addresses, dead[:4]), return_exceptions=True)
    assert len(names.asked) == 2
    assert await lookup.addresses("shop.example")
    assert await lookup.addresses("new.example")
    names.end.set()
    await lookup.close()


async def test_names_that_wait_are_bounded(names: DeadNames, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_lookup, "WAITING_MAX", 3)
    lookup = NameLookup(names)
    waiting = [asyncio.create_task(lookup.addresses(f"dead{number}.example")) for number in range(3)]
    assert await asyncio.to_thread(names.begun.wait, 60)
    with pytest.raises(NameNotResolved):
        await lookup.addresses("shop.example")
    names.end.set()
    await asyncio.gather(*waiting)
    assert await lookup.addresses("shop.example")


async def test_a_canceled_caller_does_not_cancel_the_lookup_of_others(names: DeadNames) -> None:
    lookup = NameLookup(names)
    first = asyncio.create_task(lookup.addresses("dead.example"))
    second = asyncio.create_task(lookup.addresses("dead.example"))
    assert await asyncio.to_thread(names.begun.wait, 60)
    first.cancel()
    await asyncio.sleep(0)
    names.end.set()

    assert await second == (ip_address("192.0.2.7"),)
    assert names.asked == ["dead.example"]
