"""`gateway simulate`: does everything that can be done with money, at random, and checks all of it."""

import logging
import secrets
from typing import Final

import click
from rich import progress
from rich.console import Console
from rich.table import Table

from gateway.adapters.memory import memory_storage
from gateway.bootstrap.garbage_collection import collect_garbage_seldom
from gateway.entrypoints.output import output
from gateway.simulation.clock import VirtualClock
from gateway.simulation.report import Failure, Report
from gateway.simulation.run import simulate as run
from gateway.simulation.virtual_loop import in_virtual_time

SEED_MAX: Final = 2**32

_TOLD_EVERY: Final = 250
"""Steps between two movements of the progress bar: each costs as much as a step does."""


def simulate(*, seed: int | None, operations: int, faults: bool) -> None:
    """Simulate, and say how it went."""
    chosen = secrets.randbelow(SEED_MAX) if seed is None else seed
    collect_garbage_seldom()
    report = in_virtual_time(lambda clock: _simulate(chosen, operations, faults=faults, clock=clock))
    if report.failure is not None:
        _tell(report.failure)
        again = f"gateway simulate --seed {chosen} --operations {report.failure.step}{' --faults' * faults}"
        raise click.ClickException(f"Seed {chosen} breaks something at step {report.failure.step}. To see it: {again}")
    click.echo(
        f"Seed {chosen}: {report.steps:,} operations of {report.commands:,} commands met {report.faults:,} faults, "
        f"and everything is as it must be. Trace {report.trace}."
    )


async def _simulate(seed: int, operations: int, *, faults: bool, clock: VirtualClock) -> Report:
    console = Console(stderr=True)
    columns = (
        progress.TextColumn(f"seed {seed}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("", total=operations)

        def tell(done: int) -> None:
            if done % _TOLD_EVERY == 0:
                bars.update(task, completed=done)

        # What workers log of a storage that fails on purpose is no news.
        logging.getLogger("gateway").setLevel(logging.CRITICAL)
        return await run(memory_storage(), seed=seed, steps=operations, faulty=faults, clock=clock, on_progress=tell)


def _tell(failure: Failure) -> None:
    table = Table("invariant", "", box=None, pad_edge=False)
    for violation in failure.violations:
        table.add_row(*violation)
    click.echo(f"Step {failure.step}: {failure.operation}")
    output().print(table)
