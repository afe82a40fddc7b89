"""Gateways for one test each."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from gateway.adapters.memory import MemoryWebhookSender
from gateway.application.gateway import Gateway
from gateway.application.ports.storage import Storage
from gateway.bootstrap.tokens import process_tokens
from gateway.bootstrap.wiring import open_gateway
from gateway.settings.values import Settings
from gateway.testing.clock import MovableClock
from gateway.testing.expiry import expire_due
from gateway.testing.passwords import FastPasswords


@asynccontextmanager
async def open_for_test(storage: Storage, clock: MovableClock, folder: Path) -> AsyncGenerator[Gateway]:
    """A gateway whose payments expire when the clock lets time pass."""
    async with open_gateway(
        Settings(data_dir=str(folder)),
        storage=storage,
        tokens=process_tokens(),
        passwords=FastPasswords(),
        clock=clock,
        webhook_sender=MemoryWebhookSender(),
    ) as gateway:
        with clock.telling(partial(expire_due, gateway)):
            yield gateway
