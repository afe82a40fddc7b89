"""`gateway worker`: what happens without anybody asking, which is that the time of payments runs out."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import click

from gateway.application.expiry import Expiry, ExpiryLimits
from gateway.application.gateway import Gateway
from gateway.bootstrap.schema import require_schema
from gateway.bootstrap.wiring import open_gateway
from gateway.entrypoints.flags import Flags, settings_with
from gateway.entrypoints.heartbeat import beating, heartbeat_file
from gateway.entrypoints.logs import configure_logging
from gateway.settings.values import Settings


def worker(flags: Flags) -> None:
    """End payments whose time is over, until SIGTERM or Ctrl-C."""
    settings = settings_with(flags)
    configure_logging(settings)
    asyncio.run(_work(settings))


@asynccontextmanager
async def working(gateway: Gateway, settings: Settings) -> AsyncGenerator[None]:
    """A worker beside whatever else goes on; it finishes what it began before this ends."""
    stop = asyncio.Event()
    work = asyncio.create_task(expiry_of(gateway, settings).run(stop), name="expiry")
    try:
        yield
    finally:
        stop.set()
        await work


def expiry_of(gateway: Gateway, settings: Settings) -> Expiry:
    """Who ends this gateway's payments."""
    limits = ExpiryLimits(interval_seconds=settings.expiry_interval_seconds, batch_size=settings.expiry_batch_size)
    return Expiry(executor=gateway.executor, reader=gateway.storage.reader, clock=gateway.queries.clock, limits=limits)


async def _work(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await require_schema(settings)
    async with open_gateway(settings) as gateway:
        await gateway.storage.reader.check()
        async with beating(heartbeat_file(settings)):
            click.echo("The worker ends payments whose time is over.")
            await expiry_of(gateway, settings).run(stop)
    click.echo("The worker has finished.")
