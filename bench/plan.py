"""How long everything runs: a plan for a coffee break, and one for three minutes."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The lengths of one benchmark.

    Attributes:
        name: Also the folder of its results.
        rounds: How often each arm's server is started and measured; the arms take turns, and the median counts.
        seconds: Of each run.
        warm_up_seconds: After each start, long enough for the server to have seen every token.
        connections: Of the closed loop: every arm runs with `connections_main`, the leading ones with these too.
        connections_main: See above.
        open_loop_seconds: Of each run at a fixed rate.
        in_process_payments: Of each figure without HTTP.
        deliveries: Webhooks that wait when a worker begins.
        waiting: Webhooks that wait while the worker's memory is watched.
        flood: Batches of 1,000 that one caller sends beside another caller's single payments.
        accounts: Half of them customers, half merchants.
    """

    name: str
    rounds: int
    seconds: float
    warm_up_seconds: float
    connections: tuple[int, ...]
    connections_main: int = 64
    open_loop_seconds: float
    in_process_payments: int
    deliveries: int
    waiting: int
    flood: int
    accounts: int = 10_000


FULL: Final = Plan(
    name="full",
    rounds=3,
    seconds=4,
    warm_up_seconds=2,
    connections=(1, 16, 256),
    open_loop_seconds=10,
    in_process_payments=60_000,
    deliveries=30_000,
    waiting=1_000_000,
    flood=40,
)
QUICK: Final = Plan(
    name="quick",
    rounds=1,
    seconds=2,
    warm_up_seconds=2,
    connections=(1, 256),
    open_loop_seconds=3,
    in_process_payments=10_000,
    deliveries=6_000,
    waiting=100_000,
    flood=16,
)
