"""The fixtures. What they need is imported when a test asks for them."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from gateway.application.gateway import Gateway
    from gateway.application.ports.storage import Storage
    from gateway.testing.clock import MovableClock
    from gateway.testing.emitted_events import EmittedEvents
    from gateway.testing.factory import Factory
    from gateway.testing.faults import StorageFaults


def gateway_clock() -> "MovableClock":
    """The clock of the gateway: `await gateway_clock.wait(timedelta(days=8))` lets holds expire."""
    from gateway.testing.clock import MovableClock

    return MovableClock()


def gateway_faults() -> "StorageFaults":
    """The faults of the storage: `with gateway_faults.away():`, `gateway_faults.lose_commit(written=True)`."""
    from gateway.testing.faults import StorageFaults

    return StorageFaults()


def gateway_migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables and no rows."""
    from gateway.testing.storages import migrated_file

    return migrated_file(tmp_path_factory.mktemp("gateway"))


def gateway_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of the database of `gateway_storage`, for tables of the program: `sqlite:///file` or `postgresql://…`."""
    from gateway.testing.options import storage_named
    from gateway.testing.storages import database_url

    return database_url(storage_named(request.config), tmp_path)


async def gateway_storage(request: pytest.FixtureRequest, gateway_faults: "StorageFaults") -> "AsyncGenerator[Storage]":
    """The storage that `--gateway-storage` names. It fails as `gateway_faults` says."""
    from gateway.testing.options import storage_named
    from gateway.testing.storages import open_named

    async with open_named(storage_named(request.config), request) as storage:
        yield gateway_faults.over(storage)


async def gateway(
    gateway_storage: "Storage", gateway_clock: "MovableClock", tmp_path: Path
) -> "AsyncGenerator[Gateway]":
    """A gateway on `gateway_storage`, by `gateway_clock`. Passwords are hashed fast, webhooks are not sent."""
    from gateway.testing.gateways import open_for_test

    async with open_for_test(gateway_storage, gateway_clock, tmp_path) as opened:
        yield opened


async def gateway_events(gateway: "Gateway") -> "EmittedEvents":
    """The events since the test began: `await gateway_events.types()`."""
    from gateway.testing.emitted_events import EmittedEvents

    return await EmittedEvents.from_now(gateway)


def gateway_factory(gateway: "Gateway") -> "Factory":
    """Makes customers, merchants and payments: `await gateway_factory.held_payment()`."""
    from gateway.testing.factory import Factory

    return Factory(gateway)


PLAIN: Final[tuple[Any, ...]] = (gateway_clock, gateway_database_url, gateway_faults, gateway_factory)
OF_A_SESSION: Final[tuple[Any, ...]] = (gateway_migrated_sqlite,)
COROUTINES: Final[tuple[Any, ...]] = (gateway_storage, gateway, gateway_events)
