"""`python -m torture`: all faults, then cuts and kills until their numbers or the time are reached; writes a page."""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, cycle, islice, zip_longest
from pathlib import Path
from typing import Final

import uvloop

from support.postgres import local_postgres
from torture.fault import Fault, Outcome, endure
from torture.faults import ONCE
from torture.faults.network import cutting
from torture.faults.processes import KILLS
from torture.page import page
from torture.scene import Scene, opened

PAGE: Final = Path(__file__).parents[2] / "bench/results/torture/results.md"
BROKEN_SECONDS: Final = 3.0
CUTS_PER_ROUND: Final = 250
KILLS_PER_ROUND: Final = 5
MAX_CONNECTIONS: Final = 80


@dataclass(slots=True)
class Run:
    """A run, and what came of it so far."""

    scene: Scene
    arguments: argparse.Namespace
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    began: float = field(default_factory=time.monotonic)

    @property
    def minutes(self) -> float:
        """How long it has taken."""
        return (time.monotonic() - self.began) / 60

    async def to_the_end(self) -> None:
        """Inject one fault after the other. The page is written after each."""
        for fault in self._plan():
            if self.minutes >= self.arguments.minutes:
                break
            times = KILLS_PER_ROUND if fault in KILLS and fault.name in {each.fault for each in self.outcomes} else 1
            outcome = await endure(
                self.scene, fault, seconds=BROKEN_SECONDS, recovered_seconds_max=self.arguments.seconds, times=times
            )
            self.outcomes.append(outcome)
            self._tell(outcome)
            written = await page(self.scene, self.outcomes, seed=self.arguments.seed, minutes=self.minutes)
            self.arguments.page.parent.mkdir(parents=True, exist_ok=True)
            self.arguments.page.write_text(written)

    def _plan(self) -> Iterator[Fault]:
        cuts, kills = self.arguments.cuts, self.arguments.kills
        rounds = [cutting(min(CUTS_PER_ROUND, cuts - made)) for made in range(0, cuts, CUTS_PER_ROUND)]
        killed = islice(cycle(KILLS), kills // KILLS_PER_ROUND)
        alternating = (fault for both in zip_longest(rounds, killed) for fault in both if fault is not None)
        return (fault for fault in chain(ONCE, alternating) if self.arguments.fault in fault.name)

    def _tell(self, outcome: Outcome) -> None:
        slowest = max(outcome.recovered_seconds)
        sys.stdout.write(f"{self.minutes:5.1f} min  {outcome.times} x {outcome.fault}: recovered in {slowest:.1f} s\n")
        for violation in outcome.violations:
            sys.stdout.write(f"           BROKEN PROMISE: {violation}\n")
        sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make torture ARGS=…", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="begin no fault after so many minutes")
    parser.add_argument("--cuts", type=int, default=3_000, help="connections to cut")
    parser.add_argument("--kills", type=int, default=60, help="kill -9 of server, worker, backend and Postgres in turn")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long recovering may take")
    parser.add_argument("--fault", default="", help="only faults with this in their name")
    parser.add_argument("--seed", type=int, default=1, help="of all chance")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the counts are written")
    return parser.parse_args()


async def main(arguments: argparse.Namespace) -> bool:
    """Run. Returns whether every promise was kept."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    # Without passwords: each costs asyncpg 40 ms of processor time, and thousands of connections are made.
    with (
        local_postgres(max_connections=MAX_CONNECTIONS, authentication="trust") as postgres,
        tempfile.TemporaryDirectory(prefix="gateway-torture-") as folder,
    ):
        async with opened(postgres, Path(folder), seed=arguments.seed) as scene:
            run = Run(scene, arguments)
            await run.to_the_end()
            return not scene.book.violations


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(0 if runner.run(main(_arguments())) else 1)
