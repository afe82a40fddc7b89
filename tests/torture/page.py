"""The page with the counts of a run."""

import os
import platform
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from torture.book import DONE
from torture.fault import Outcome
from torture.proxy import Kind, Moment
from torture.scene import Scene

HEAD: Final = """\
# Faults: counts of a run

Made by `make torture`. What is promised: [docs/reliability.md](../../../docs/reliability.md#faults). All answers are
counted; 200, 201 and 207 say that an operation was carried out. Recovery is timed from the beginning of the
repair until every process is ready and has taken a payment; it includes the start of what was killed.

"""
VIOLATIONS_MAX: Final = 20


async def page(scene: Scene, outcomes: Sequence[Outcome], *, seed: int, minutes: float) -> str:
    """The run so far, as Markdown."""
    [[postgres]] = await scene.query("SELECT split_part(version(), ' on ', 1)")
    violations = [f"{each.fault}: {violation}" for each in outcomes for violation in each.violations]
    load = os.getloadavg()[2]
    about = (
        f"{datetime.now(UTC):%Y-%m-%d}, {minutes:.0f} minutes, seed {seed}",
        f"Python {platform.python_version()}, {postgres}, {os.cpu_count()} processors for all; load average {load:.1f}",
        f"2 servers, 1 worker, {len(scene.buyers)} customers, {len(scene.merchants)} merchants with a receiver",
        f"{scene.book.done:,} operations carried out, {scene.book.replayed:,} keys replayed",
        f"{len(scene.delivered):,} events delivered",
        f"{len(violations)} broken promises",
    )
    parts = [HEAD + "\n".join(f"- {line}" for line in about), "## Faults", _table(outcomes)]
    if scene.cuts:
        parts += ["## Connections that were cut", _cuts(scene.cuts)]
    if violations:
        parts += ["## Broken promises", "\n".join(f"- {each}" for each in violations[:VIOLATIONS_MAX])]
    return "\n\n".join(parts) + "\n"


def _table(outcomes: Iterable[Outcome]) -> str:
    """A row for each fault."""
    by_fault = defaultdict[str, list[Outcome]](list)
    for outcome in outcomes:
        by_fault[outcome.fault].append(outcome)
    rows = [
        "| fault | times | carried out | 409 | 503 | other | no answer | recovered after s, median and longest |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for fault, several in by_fault.items():
        statuses = sum((each.statuses for each in several), Counter[int]())
        done = sum(count for status, count in statuses.items() if status in DONE)
        other = {status: count for status, count in sorted(statuses.items()) if status not in DONE | {0, 409, 503}}
        took = sorted(seconds for each in several for seconds in each.recovered_seconds)
        shown = ", ".join(f"{count} times {status}" for status, count in other.items()) or "0"
        rows.append(
            f"| {fault} | {sum(each.times for each in several):,} | {done:,} | {statuses[409]:,} | {statuses[503]:,} |"
            f" {shown} | {statuses[0]:,} | {statistics.median(took):.1f}, {took[-1]:.1f} |"
        )
    return "\n".join(rows)


def _cuts(cuts: Counter[tuple[Kind, Moment]]) -> str:
    """A row for each kind of statement, a column for each moment."""
    rows = [f"| cut | {' | '.join(Moment)} |", "|---" * (len(Moment) + 1) + "|"]
    rows += [f"| {kind} | {' | '.join(f'{cuts[kind, moment]:,}' for moment in Moment)} |" for kind in Kind]
    return "\n".join(rows)
