"""`gateway verify`: is the ledger what its history says?"""

import asyncio
from collections.abc import Callable

import click
from rich import progress
from rich.console import Console
from rich.table import Table

from gateway.application import verify as ledger
from gateway.bootstrap import open_audit
from gateway.entrypoints.flags import settings_flags, settings_with
from gateway.entrypoints.output import output
from gateway.settings import Settings


@click.command
@settings_flags("data_dir", "database_url")
def verify(**flags: str | None) -> None:
    """Check that the ledger is what its history says.

    Works out every account again from its transfers, and compares. Exit code 1 if anything differs, with the rows, or
    if there is no ledger of this version. Nothing is made, migrated or changed.
    """
    findings = asyncio.run(_verify(settings_with(flags)))
    read = ", ".join(f"{count:,} {step}" for step, count in findings.read.items())
    if findings.ok:
        click.echo(f"The ledger is sound: {read} read.")
        return
    table = Table("rule", "row", "", box=None, pad_edge=False)
    for finding in findings.named:
        table.add_row(*finding)
    output().print(table)
    unnamed = findings.count - len(findings.named)
    more = f" ({unnamed:,} of them not named here)" if unnamed else ""
    raise click.ClickException(f"The ledger is not sound: {findings.count:,} findings{more}; {read} read.")


async def _verify(settings: Settings) -> ledger.Findings:
    console = Console(stderr=True)
    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), progress.MofNCompleteColumn())
    with progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        async with open_audit(settings) as audit:
            return await ledger.verify(audit, _telling(bars))


def _telling(bars: progress.Progress) -> Callable[[ledger.Progress], None]:
    tasks: dict[str, progress.TaskID] = {}

    def tell(come: ledger.Progress) -> None:
        if come.step not in tasks:
            tasks[come.step] = bars.add_task(come.step, total=come.total)
        bars.update(tasks[come.step], completed=come.done)

    return tell
