"""`gateway verify`: is the ledger what its history says?"""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any, Final

import click
from rich import progress
from rich.console import Console
from rich.table import Table

from gateway.application.ports.audit_records import ChainEnd
from gateway.application.verification.findings import Findings
from gateway.application.verification.verify import Progress
from gateway.application.verification.verify import verify as verify_ledger
from gateway.bootstrap.storage import open_audit
from gateway.entrypoints.flags import Flags, settings_with
from gateway.entrypoints.output import output
from gateway.settings.values import Settings

HEAD: Final = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


def verify(flags: Flags, *, as_json: bool, audit_head: str | None) -> None:
    """Verify the ledger, and say what was found."""
    findings = asyncio.run(_verify(settings_with(flags), None if audit_head is None else head_of(audit_head)))
    read = ", ".join(f"{count:,} {step}" for step, count in findings.read.items())
    if as_json:
        click.echo(json.dumps(document(findings)))
    elif findings.ok:
        click.echo(f"The ledger is sound: {read} read.")
        click.echo(f"The audit log ends at {text_of(findings.audit_head)}")
    else:
        table = Table("rule", "row", "", box=None, pad_edge=False)
        for finding in findings.named:
            table.add_row(*finding)
        output().print(table)
    if not findings.ok:
        unnamed = findings.count - len(findings.named)
        more = f" ({unnamed:,} of them not named here)" if unnamed else ""
        raise click.ClickException(f"The ledger is not sound: {findings.count:,} findings{more}; {read} read.")


def document(findings: Findings) -> dict[str, Any]:
    """What was found, for programs: keys are only ever added.

    `findings` names the first `NAMED_MAX` of `findings_count`; `read` counts the rows that were read.
    """
    return {
        "sound": findings.ok,
        "findings_count": findings.count,
        "findings": [finding._asdict() for finding in findings.named],
        "audit_head": text_of(findings.audit_head),
        "read": {step.replace(" ", "_"): count for step, count in findings.read.items()},
    }


def text_of(head: ChainEnd) -> str:
    """The end of the audit log in one word, for `--audit-head`."""
    return f"{head.position}:{head.hash.hex()}"


def head_of(text: str) -> ChainEnd:
    """The end of the audit log that an earlier run has told.

    Raises:
        click.BadParameter: It is none.
    """
    found = HEAD.fullmatch(text)
    if found is None:
        raise click.BadParameter(
            "There must be a position, a colon and 64 hexadecimal digits.", param_hint="--audit-head"
        )
    return ChainEnd(int(found[1]), bytes.fromhex(found[2]))


async def _verify(settings: Settings, known_head: ChainEnd | None) -> Findings:
    console = Console(stderr=True)
    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), progress.MofNCompleteColumn())
    with progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        async with open_audit(settings) as audit:
            return await verify_ledger(audit, _telling(bars), known_head=known_head)


def _telling(bars: progress.Progress) -> Callable[[Progress], None]:
    tasks: dict[str, progress.TaskID] = {}

    def tell(come: Progress) -> None:
        if come.step not in tasks:
            tasks[come.step] = bars.add_task(come.step, total=come.total)
        bars.update(tasks[come.step], completed=come.done)

    return tell
