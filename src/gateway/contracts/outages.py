"""What every storage promises that may be away: its driver's errors stay inside, nothing is lost, and it goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial
from typing import Any, Final, NamedTuple, cast

import pytest

from gateway.application.commands.deposit import MakeDeposit
from gateway.application.ports.deliveries import DeliveryFanOut, DeliveryQueues, DeliveryRecords
from gateway.application.ports.delivery_records import Replay, ReplayId, WorkerId
from gateway.application.ports.events import EventFeed, EventFilter
from gateway.application.ports.housekeeping import Housekeeping
from gateway.application.ports.reader import Audit
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, KeyBusy, StorageUnavailable, TryAgain, Wanted
from gateway.contracts.durability import pay_from
from gateway.contracts.history import consequences_of, opening, play
from gateway.contracts.hostile_input import CALLS, Hostile
from gateway.contracts.records import (
    NOW,
    USD,
    account_id,
    an_account,
    an_answer,
    commit,
    endpoint_id,
    identifier,
    load,
    user_id,
)
from gateway.domain.event import EventId
from gateway.domain.money import Money

TIMEOUT_SECONDS: Final = 60
"""Longer than any storage may take."""
GIVEN: Final = Hostile("ordinary", 1, NOW)
FIRST_NUMBER: Final = 100


class Breakable(NamedTuple):
    """An empty storage, and how to break it.

    Attributes:
        storage: The storage.
        away: While it is entered, nothing can be written, and everything may fail. As it would in production: stop the
            server, end its connections, fill the disk.
    """

    storage: Storage
    away: Callable[[], AbstractAsyncContextManager[object]]


OpenBreakable = Callable[[], AbstractAsyncContextManager[Breakable]]

_ENDPOINT: Final = endpoint_id(1)
_WORKER: Final = WorkerId("worker")
_REPLAY: Final = Replay(
    id=ReplayId(identifier("rpl", 1)), endpoint_id=_ENDPOINT, created_from=NOW, created_to=NOW, created_at=NOW
)


async def _audited(storage: Storage, name: str) -> None:
    async with storage.audit() as audit:
        asked: Any = getattr(audit, name)()
        if isinstance(asked, AsyncIterator):
            [page async for page in cast("AsyncIterator[object]", asked)]
        else:
            await asked


OTHER_CALLS: Final[Mapping[type, Mapping[str, Callable[[Storage], Any]]]] = {
    EventFeed: {
        "read": lambda storage: storage.events.read(after=0, limit=1),
        "newest": lambda storage: storage.events.newest(),
        "event": lambda storage: storage.events.event(EventId("evt")),
        "find_after": lambda storage: storage.events.find_after(EventFilter(), after=0, limit=1),
        "find_before": lambda storage: storage.events.find_before(EventFilter(), before=None, limit=1),
    },
    DeliveryFanOut: {
        "candidates": lambda storage: storage.deliveries.candidates(after=0, limit=1),
        "enqueue": lambda storage: storage.deliveries.enqueue([], after=0, until=1),
        "add": lambda storage: storage.deliveries.add([]),
        "request_replay": lambda storage: storage.deliveries.request_replay(_REPLAY, limit=1),
        "replays": lambda storage: storage.deliveries.replays(limit=1),
        "enqueue_replay": lambda storage: storage.deliveries.enqueue_replay(_REPLAY, [], until=None),
    },
    DeliveryQueues: {
        "lease": lambda storage: storage.deliveries.lease(
            _WORKER, now=NOW, until=NOW + timedelta(seconds=30), fast_max=1, slow_max=1
        ),
        "renew": lambda storage: storage.deliveries.renew(_WORKER, [_ENDPOINT], until=NOW),
        "release": lambda storage: storage.deliveries.release(_WORKER, [_ENDPOINT], now=NOW),
        "due": lambda storage: storage.deliveries.due(_ENDPOINT, now=NOW, limit=1),
        "record": lambda storage: storage.deliveries.record(_WORKER, []),
        "plan_anew": lambda storage: storage.deliveries.plan_anew(now=NOW, limit=1),
        "abandoned": lambda storage: storage.deliveries.abandoned(limit=1),
        "cancel": lambda storage: storage.deliveries.cancel(_ENDPOINT, now=NOW, limit=1),
    },
    DeliveryRecords: {
        "deliveries": lambda storage: storage.deliveries.deliveries(_ENDPOINT, [None], before=None, limit=1),
        "backlog": lambda storage: storage.deliveries.backlog(),
        "purge": lambda storage: storage.deliveries.purge(ended_before=NOW, limit=1),
    },
    Housekeeping: {
        "delete_answers": lambda storage: storage.housekeeping.delete_answers(before=NOW, limit=1),
        "oldest_answer": lambda storage: storage.housekeeping.oldest_answer(),
        "event_readers": lambda storage: storage.housekeeping.event_readers(),
        "delete_events": lambda storage: storage.housekeeping.delete_events(before=NOW, until=1, limit=1),
        "index_events": lambda storage: storage.housekeeping.index_events(blocks_max=1),
        "delete_quotes": lambda storage: storage.housekeeping.delete_quotes(before=NOW, limit=1),
        "delete_sessions": lambda storage: storage.housekeeping.delete_sessions(before=NOW, limit=1),
        "delete_audit_records": lambda storage: storage.housekeeping.delete_audit_records(before=NOW, limit=1),
        "delete_login_failures": lambda storage: storage.housekeeping.delete_login_failures(before=NOW, limit=1),
    },
    Audit: {name: partial(_audited, name=name) for name in vars(Audit) if not name.startswith("_")},
}
"""A call of each method that no stranger's input reaches."""


def _every_call(storage: Storage) -> Iterator[tuple[str, Any]]:
    """A coroutine for each method of each port. Each is to be awaited."""
    for port, calls in CALLS.items():
        for name, call in calls.items():
            yield f"{port.__name__}.{name}", _called(call, storage, GIVEN)
    for port, others in OTHER_CALLS.items():
        for name, other in others.items():
            yield f"{port.__name__}.{name}", _called(other, storage)


async def _called(call: Callable[..., Any], *arguments: object) -> None:
    await call(*arguments)


class OutageContract:
    """Subclass it, and give a fixture `open_breakable`: each call opens a `Breakable`, as `async with`."""

    @pytest.mark.parametrize("port", OTHER_CALLS, ids=lambda port: port.__name__)
    def test_every_method_of_a_port_is_called_while_the_storage_is_away(self, port: type) -> None:
        """One that comes later must be called too. `HostileInputContract` has the other ports."""
        assert OTHER_CALLS[port].keys() == {name for name in vars(port) if not name.startswith("_")}

    async def test_no_error_of_a_driver_comes_out(self, open_breakable: OpenBreakable) -> None:
        """A call while the storage is away is answered, or raises `StorageUnavailable`."""
        async with open_breakable() as (storage, away):
            await commit(storage, Changes(accounts_new=[an_account(1)]))
            async with away():
                for name, call in _every_call(storage):
                    assert await _answered_or_unavailable(call) is None, name
                changes = Changes(accounts_new=[an_account(2)], answers_new=[an_answer()])
                with pytest.raises((StorageUnavailable, TryAgain, KeyBusy)):
                    await commit(storage, changes)
            async with asyncio.timeout(TIMEOUT_SECONDS):
                for name, call in _every_call(storage):
                    assert await _answered_or_unavailable(call) is None, name
                await storage.reader.check()
                await commit(storage, changes)

    async def test_nothing_is_lost_and_the_gateway_goes_on(self, open_breakable: OpenBreakable) -> None:
        """What was answered stays, what was not is paid once with the same key, and events go on in order."""
        async with open_breakable() as (storage, away):
            await play(storage, opening(), batch_size=3)
            before = await consequences_of(storage, ())
            events = list(await storage.events.read(after=0, limit=1_000))
            executor = await pay_from(storage, first_number=FIRST_NUMBER)
            deposit = MakeDeposit(account_id=account_id(1), amount=Money(7, USD), owner_id=user_id(1))
            first = await executor.execute(deposit, idempotency_key="before")
            async with away():
                for _ in range(2):
                    with pytest.raises(StorageUnavailable):
                        await executor.execute(deposit, idempotency_key="meanwhile")
            async with asyncio.timeout(TIMEOUT_SECONDS):
                assert await executor.execute(deposit, idempotency_key="before") == first
                meanwhile = await executor.execute(deposit, idempotency_key="meanwhile")
                assert await executor.execute(deposit, idempotency_key="meanwhile") == meanwhile
            after = await consequences_of(storage, ())
            found = {account.id: account.available for account in after.accounts}
            expected = {account.id: account.available for account in before.accounts}
            assert found[account_id(1)] == expected[account_id(1)] + 14
            assert len(after.transactions) == len(before.transactions) + 2
            assert after.findings == []
            feed = await storage.events.read(after=0, limit=1_000)
            assert list(feed[: len(events)]) == events
            assert [event.object_id for event in feed[len(events) :]] == [first.id, meanwhile.id]

    async def test_a_unit_of_work_that_is_cut_off_holds_up_nobody(self, open_breakable: OpenBreakable) -> None:
        """Nor is a part of it written: it had loaded, and cannot commit."""
        async with open_breakable() as (storage, away):
            await commit(storage, Changes(accounts_new=[an_account(1)]))
            changed = an_account(1).changed(credits_posted=1)
            changes = Changes(accounts_new=[an_account(2)], accounts_changed=[changed], answers_new=[an_answer()])
            wanted = Wanted(account_ids=[account_id(1)], answers=[an_answer().key])
            async with away():
                with pytest.raises((StorageUnavailable, TryAgain, KeyBusy)):
                    await commit(storage, changes, wanted)
            async with asyncio.timeout(TIMEOUT_SECONDS):
                assert (await load(storage, wanted)).answers == ()
                async with storage.unit_of_work() as work:
                    await work.load(wanted)
                    async with away():
                        with pytest.raises((StorageUnavailable, TryAgain, KeyBusy)):
                            await work.commit(changes)
                found = await load(storage, wanted)
                assert (found.accounts, found.answers) == ((an_account(1),), ())
                await commit(storage, changes, wanted)
            assert await storage.reader.account(account_id(1)) == changed


async def _answered_or_unavailable(call: Any) -> Exception | None:
    """`None`, or the error that should not have come out."""
    try:
        await call
    except StorageUnavailable:
        return None
    except Exception as error:  # noqa: BLE001 - the test shows every error.
        return error
    return None
