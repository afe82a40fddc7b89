"""`gateway worker`: the jobs that run without a request: expiry, webhooks, events to sinks, housekeeping."""

import asyncio
import signal
import sys
from collections.abc import Callable

import click

from gateway.bootstrap.garbage_collection import collect_garbage_seldom
from gateway.bootstrap.jobs import open_worker
from gateway.bootstrap.schema import refuse_production_in_sandbox, require_schema
from gateway.bootstrap.wiring import open_gateway
from gateway.entrypoints.flags import Flags, settings_with
from gateway.entrypoints.heartbeat import beating, heartbeat_file
from gateway.entrypoints.logs import configure_logging
from gateway.entrypoints.worker_health import answering_health
from gateway.settings.values import Settings


def worker(flags: Flags) -> None:
    """Run all jobs until SIGTERM or Ctrl-C."""
    settings = settings_with(flags)
    configure_logging(settings)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_work(settings))


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
    await refuse_production_in_sandbox(settings)
    async with open_gateway(settings) as gateway:
        await gateway.storage.reader.check()
        async with (
            beating(heartbeat_file(settings)),
            open_worker(gateway, settings) as opened,
            answering_health(settings, gateway, opened),
        ):
            click.echo("The worker ends payments whose time is over, delivers webhooks, and deletes old rows.")
            if settings.events_nats_url:
                click.echo("The worker publishes events to NATS.")
            collect_garbage_seldom()
            await opened.jobs.run(stop)
    click.echo("The worker has finished.")
