"""Everything that one benchmark found, and the ratios that it is judged by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from bench.deliveries import RATE, Deliveries
from bench.fairness import Fairness
from bench.in_process import BatchLaw, Footprint
from bench.open_loop import OpenRun
from bench.plan import FULL
from bench.runs import Run

UNIFORM: Final = "gateway, uniform"
KEYS: Final = "gateway, uniform, API keys in place of tokens"
HOT: Final = "gateway, hot merchant"
ZIPF: Final = "gateway, zipf 1.0"
HOT_TWO_WORKERS: Final = "gateway, hot merchant, 2 workers"
PER_REQUEST: Final = "per request, uniform"
PER_REQUEST_HOT: Final = "per request, hot merchant"
SYNC_ORM: Final = "FastAPI, sync ORM, uniform"
SYNC_ORM_HOT: Final = "FastAPI, sync ORM, hot merchant"
NOTHING: Final = "HTTP only"
MEMORY: Final = "memory adapters"
BATCH_OF_100: Final = "POST /payments/batch of 100"
BATCH_OF_1000: Final = "POST /payments/batch of 1,000"
SQLITE: Final = "SQLite"
PGBENCH: Final = "pgbench TPC-B, scale 20"
PGBENCH_HOT: Final = "pgbench TPC-B, scale 1"


MAIN: Final = FULL.connections_main
"""The number of connections with which every arm runs."""


class Aim(NamedTuple):
    """A ratio (or a figure), with the least that will do and what it should be."""

    name: str
    value: float
    least: float
    aim: float
    lower_is_better: bool = False

    @property
    def verdict(self) -> str:
        """In a word."""
        sign = -1 if self.lower_is_better else 1
        if sign * self.value >= sign * self.aim:
            return "reached"
        return "least" if sign * self.value >= sign * self.least else "**missed**"


@dataclass(slots=True, kw_only=True)
class Results:
    """Filled as the benchmark goes on. `runs` are medians by arm and connections."""

    machine: Sequence[str]
    runs: dict[str, dict[int, Run]] = field(default_factory=dict)
    pgbench: dict[str, float] = field(default_factory=dict)
    open_loop: list[OpenRun] = field(default_factory=list)
    memory_per_second: float = 0.0
    memory_executor_per_second: float = 0.0
    sqlite_grouped_per_second: float = 0.0
    sqlite_single_per_second: float = 0.0
    batch_law: BatchLaw | None = None
    footprint: Footprint | None = None
    fairness: Fairness | None = None
    deliveries: Deliveries | None = None

    def peak(self, arm: str) -> Run:
        """An arm's run with the most payments a second."""
        return max(self.runs[arm].values(), key=lambda run: run.payments_per_second)

    def aims(self) -> list[Aim]:
        """What this run is judged by. Throughputs, and their cost, are at the connections where each arm is best."""
        rates: Mapping[str, float] = {name: self.peak(name).payments_per_second for name in self.runs} | self.pgbench
        peak = self.peak(UNIFORM)
        return [
            Aim(f"{KEYS} ÷ {UNIFORM}", self._beside(KEYS, UNIFORM), 0.9, 0.97),
            Aim("uniform ÷ per request", rates[UNIFORM] / rates[PER_REQUEST], 1.8, 3),
            Aim("hot merchant ÷ per request, hot merchant", rates[HOT] / rates[PER_REQUEST_HOT], 2.6, 5),
            Aim("uniform ÷ FastAPI with a sync ORM", rates[UNIFORM] / rates[SYNC_ORM], 30, 45),
            Aim("uniform ÷ pgbench scale 20", rates[UNIFORM] / rates[PGBENCH], 1.9, 2.2),
            Aim("hot merchant ÷ pgbench scale 1", rates[HOT] / rates[PGBENCH_HOT], 4.2, 5),
            Aim("hot merchant ÷ uniform", rates[HOT] / rates[UNIFORM], 0.95, 1.1),
            Aim(f"{BATCH_OF_1000} ÷ pgbench scale 20", rates[BATCH_OF_1000] / rates[PGBENCH], 3.6, 4.5),
            Aim("SQLite grouped ÷ one by one", self.sqlite_grouped_per_second / self.sqlite_single_per_second, 8, 15),
            Aim(
                "p50 at one connection ÷ per request",
                self.runs[UNIFORM][1].p50_ms / self.runs[PER_REQUEST][1].p50_ms,
                1.25,
                1.1,
                lower_is_better=True,
            ),
            Aim("use-case on memory, payments/s of one core", self.memory_per_second, 25_000, 60_000),
            Aim(
                "CPU of a payment, application and Postgres, µs",
                peak.app_cpu_us + peak.postgres_cpu_us,
                165,
                130,
                lower_is_better=True,
            ),
            Aim("HTTP alone, µs a request", self.peak(NOTHING).app_cpu_us, 60, 50, lower_is_better=True),
            Aim(f"hot merchant, {MAIN} connections, 2 workers ÷ 1", self._at(MAIN, HOT_TWO_WORKERS, HOT), 1, 1.2),
            Aim("hot merchant, 2 workers ÷ 1", rates[HOT_TWO_WORKERS] / rates[HOT], 1, 1.5),
            *self._aims_of_fairness(),
            *self.aims_of_deliveries(),
        ]

    def _aims_of_fairness(self) -> Sequence[Aim]:
        found = self.fairness
        if found is None:
            return ()
        name = "p99 of single payments beside another's flood of batches ÷ their p50 alone"
        return (Aim(name, found.p99_by_p50_alone, 30, 10, lower_is_better=True),)

    def _beside(self, arm: str, other: str) -> float:
        """The throughput of an arm as a share of another one's, with as many connections."""
        [connections] = self.runs[arm]
        return self._at(connections, arm, other)

    def _at(self, connections: int, arm: str, other: str) -> float:
        """As `_beside`, with so many connections."""
        return self.runs[arm][connections].payments_per_second / self.runs[other][connections].payments_per_second

    def aims_of_deliveries(self) -> Sequence[Aim]:
        """What the webhooks are judged by."""
        found = self.deliveries
        if found is None:
            return ()
        lag = f"p99 from a payment to its webhook at {RATE} payments/s"
        beside = f"{lag}, beside three bad receivers, ms"
        return (
            Aim("webhooks of one worker, deliveries/s", found.per_second, 1_000, 3_000),
            Aim(f"{lag}, ms", found.lag.p99_ms, 2_000, 200, lower_is_better=True),
            Aim(beside, found.lag_beside_bad.p99_ms, 2_000, 200, lower_is_better=True),
        )
