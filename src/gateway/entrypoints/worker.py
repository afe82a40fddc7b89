"""`gateway worker`: the jobs that run without a request: expiry, webhooks, events to sinks, housekeeping."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, Protocol

import click

from gateway.application.events.dispatcher import Dispatcher
from gateway.application.expiry import Expiry, ExpiryLimits
from gateway.application.gateway import Gateway
from gateway.application.housekeeping import EventIndexer
from gateway.bootstrap.dispatching import dispatcher_of
from gateway.bootstrap.event_sinks import open_relay
from gateway.bootstrap.garbage_collection import collect_garbage_seldom
from gateway.bootstrap.housekeeping import housekeeper_of
from gateway.bootstrap.schema import require_schema
from gateway.bootstrap.wiring import open_gateway
from gateway.entrypoints.flags import Flags, settings_with
from gateway.entrypoints.heartbeat import beating, heartbeat_file
from gateway.entrypoints.logs import configure_logging
from gateway.entrypoints.worker_health import answering_health
from gateway.settings.values import Settings


class Job(Protocol):
    """Work that goes on until it is told to stop."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop."""
        ...


class Jobs(NamedTuple):
    """The jobs of a worker."""

    all: Sequence[Job]
    dispatcher: Dispatcher


def worker(flags: Flags) -> None:
    """Run all jobs until SIGTERM or Ctrl-C."""
    settings = settings_with(flags)
    configure_logging(settings)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_work(settings))


@asynccontextmanager
async def open_jobs(gateway: Gateway, settings: Settings) -> AsyncGenerator[Jobs]:
    """The jobs of a worker."""
    async with open_relay(gateway, settings) as relay:
        dispatcher = dispatcher_of(gateway, settings)
        housekeeper = housekeeper_of(gateway, settings)
        jobs: list[Job] = [dispatcher, expiry_of(gateway, settings), EventIndexer(storage=gateway.storage)]
        jobs += [job for job in (relay, housekeeper) if job is not None]
        yield Jobs(all=jobs, dispatcher=dispatcher)


@asynccontextmanager
async def working(gateway: Gateway, settings: Settings) -> AsyncGenerator[None]:
    """A worker beside whatever else goes on; it finishes what it began before this ends."""
    stop = asyncio.Event()
    async with open_jobs(gateway, settings) as jobs:
        work = asyncio.create_task(_run(jobs.all, stop), name="worker")
        try:
            yield
        finally:
            stop.set()
            await work


def expiry_of(gateway: Gateway, settings: Settings) -> Expiry:
    """Who ends this gateway's payments."""
    limits = ExpiryLimits(interval_seconds=settings.expiry_interval_seconds, batch_size=settings.expiry_batch_size)
    return Expiry(executor=gateway.executor, reader=gateway.storage.reader, clock=gateway.queries.clock, limits=limits)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The event loop that `gateway serve` runs on, too."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - does not exist on Windows.

    return uvloop.new_event_loop


async def _work(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await require_schema(settings)
    async with open_gateway(settings) as gateway:
        await gateway.storage.reader.check()
        async with (
            beating(heartbeat_file(settings)),
            open_jobs(gateway, settings) as jobs,
            answering_health(settings, gateway, jobs.dispatcher),
        ):
            click.echo("The worker ends payments whose time is over, delivers webhooks, and deletes old rows.")
            if settings.events_nats_url:
                click.echo("The worker publishes events to NATS.")
            collect_garbage_seldom()
            await _run(jobs.all, stop)
    click.echo("The worker has finished.")


async def _run(jobs: Sequence[Job], stop: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as tasks:
        for job in jobs:
            tasks.create_task(job.run(stop), name=type(job).__name__)
