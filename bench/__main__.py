"""The command line: `python -m bench full`, `quick`, `webhooks`, `growth`, `overload` or `schemas`."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
import uvloop
from rich.console import Console

from bench.benchmark import benchmark, only_webhooks
from bench.growth import filters_alone, growth
from bench.ledger import VoidRun
from bench.overload import ARMS, overload
from bench.plan import FULL, QUICK, Plan
from bench.report import write, write_filters, write_growth, write_webhooks
from bench.schema_variants import schema_variants

RESULTS: Final = Path(__file__).with_name("results")
CONSOLE: Final = Console(highlight=False, soft_wrap=True)


@click.group
def main() -> None:
    """Measure how fast the gateway is. Results go to bench/results."""


@main.command
def full() -> None:
    """Everything, in under 15 minutes."""
    _measure(FULL)


@main.command
def quick() -> None:
    """The same with short runs, in 3 minutes."""
    _measure(QUICK)


@main.command
def webhooks() -> None:
    """The webhooks of one worker alone, in 3 minutes."""
    with _void_runs_told():
        found = uvloop.run(only_webhooks(FULL))
    click.echo(write_webhooks(found, RESULTS / "webhooks"))


@main.command("overload")
@click.option("--arm", "arms", type=click.Choice(list(ARMS)), multiple=True, help="Only these.")
def load(arms: tuple[str, ...]) -> None:
    """What floods do to others, in 4 minutes."""
    page = overload(arms)
    if not arms:
        folder = RESULTS / "overload"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "results.md").write_text(page)
    click.echo(page)


@main.command("growth")
@click.option("--history", "histories", type=int, multiple=True, default=(10**6, 10**7), show_default=True)
@click.option("--accounts", type=int, multiple=True, default=(10**3, 10**6), show_default=True)
@click.option("--rounds", type=int, default=3, show_default=True)
@click.option("--seconds", type=int, default=8, show_default=True)
@click.option("--only-filters", is_flag=True, help="Only the filters of lists, with each history.")
def grow(histories: Sequence[int], accounts: Sequence[int], rounds: int, seconds: int, *, only_filters: bool) -> None:
    """Ledgers of very different sizes. 10 million payments of history take some 15 GB while it runs."""
    with _void_runs_told():
        if only_filters:
            machine, filtered = uvloop.run(filters_alone(histories, CONSOLE))
            click.echo(write_filters(machine, filtered, RESULTS / "filters"))
            return
        found = uvloop.run(growth(histories, accounts, rounds=rounds, seconds=seconds, console=CONSOLE))
    click.echo(write_growth(found, RESULTS / "growth"))


@main.command
@click.option("--history", type=int, default=10**6, show_default=True)
def schemas(history: int) -> None:
    """What other schemas would cost. A million payments of history take some 45 GB while it runs."""
    with _void_runs_told():
        uvloop.run(schema_variants(history, CONSOLE.print))


def _measure(plan: Plan) -> None:
    with _void_runs_told():
        found = uvloop.run(benchmark(plan, CONSOLE))
    click.echo(write(found, RESULTS / plan.name))


@contextlib.contextmanager
def _void_runs_told() -> Iterator[None]:
    try:
        yield
    except VoidRun as void:
        raise click.ClickException(f"This run is void: {void}") from void


if __name__ == "__main__":
    main()
