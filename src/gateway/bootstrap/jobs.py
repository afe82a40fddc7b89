"""The jobs of a worker, as the settings say."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gateway.application.audit_linker import AuditLinker
from gateway.application.events.dispatcher import Dispatcher
from gateway.application.events.relay import EventRelay
from gateway.application.expiry import Expiry, ExpiryLimits
from gateway.application.gateway import Gateway
from gateway.application.housekeeping import EventIndexer
from gateway.application.jobs import Job, Jobs
from gateway.application.shared_clock import SharedClock
from gateway.bootstrap.dispatching import dispatcher_of
from gateway.bootstrap.event_sinks import open_relay
from gateway.bootstrap.housekeeping import housekeeper_of
from gateway.domain.immutable import immutable
from gateway.settings.values import Settings


@immutable
class Worker:
    """A worker that has not begun: its jobs, and the jobs of which readiness tells more."""

    jobs: Jobs
    dispatcher: Dispatcher
    relay: EventRelay | None


@asynccontextmanager
async def open_worker(gateway: Gateway, settings: Settings) -> AsyncGenerator[Worker]:
    """A worker on the storage of a gateway."""
    async with open_relay(gateway, settings) as relay:
        clock = SharedClock(gateway.storage.time, gateway.queries.clock)
        dispatcher = dispatcher_of(gateway, settings, clock)
        housekeeper = housekeeper_of(gateway, settings, clock)
        jobs: list[Job] = [dispatcher, expiry_of(gateway, settings, clock), EventIndexer(storage=gateway.storage)]
        jobs.append(AuditLinker(log=gateway.storage.audit_log))
        jobs += [job for job in (relay, housekeeper) if job is not None]
        yield Worker(jobs=Jobs(jobs), dispatcher=dispatcher, relay=relay)


@asynccontextmanager
async def working(gateway: Gateway, settings: Settings) -> AsyncGenerator[None]:
    """A worker beside whatever else goes on; it finishes what it began before this ends."""
    stop = asyncio.Event()
    async with open_worker(gateway, settings) as opened:
        work = asyncio.create_task(opened.jobs.run(stop), name="worker")
        try:
            yield
        finally:
            stop.set()
            await work


def expiry_of(gateway: Gateway, settings: Settings, shared_clock: SharedClock) -> Expiry:
    """The job that expires the payments of a gateway."""
    limits = ExpiryLimits(interval_seconds=settings.expiry_interval_seconds, batch_size=settings.expiry_batch_size)
    return Expiry(
        executor=gateway.executor,
        reader=gateway.storage.reader,
        clock=gateway.queries.clock,
        shared_clock=shared_clock,
        limits=limits,
    )
