"""The results as a page in Markdown, with plots beside it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from bench import plots
from bench.deliveries import RATE
from bench.filters import Filtered
from bench.growth import Growth, World
from bench.results import Aim, Results
from bench.runs import Run

ABOUT_RUNS: Final = (
    *("", "connections", "payments/s", "p50", "p99", "p99.9", "app CPU µs", "pg CPU µs", "wrk CPU µs", "WAL bytes"),
    *("fsyncs", "payments a transaction", "others' CPU"),
)
ABOUT_ARMS: Final = """Latencies are in ms; CPU, WAL and fsyncs are per payment: CPU of the application, Postgres (pg)
and the load generator (wrk). Fsyncs are reported late by Postgres, and so are about right. Others' CPU is the share of
the machine's processor time that went to programs which have no part in this: with more than a few percent, run it
again when the machine is quiet."""

SHARED: Final = "Load generator, application and Postgres share the machine. Compare figures within this page only."
WEBHOOKS: Final = "## Webhooks of one worker, one for each payment"

ABOUT_GROWTH: Final = """The same load (any customer pays any merchant) on ledgers of very different sizes, in turns.
Cost is the time of the clock that a payment takes at 64 connections, against the first ledger."""


def write(found: Results, folder: Path) -> str:
    """Write the page and the plots into a folder, and give the page's text."""
    folder.mkdir(parents=True, exist_ok=True)
    plots.throughput_by_arm(found, folder / "throughput.svg")
    plots.latency_by_load(found, folder / "latency.svg")
    plots.batch_law(found, folder / "batch-law.svg")
    text = page(found)
    (folder / "results.md").write_text(text)
    return text


def page(found: Results) -> str:
    """The whole page."""
    sections = (
        "# Results",
        "\n".join(f"- {line}" for line in found.machine),
        SHARED,
        "## What it is judged by",
        _aims(found.aims()),
        "## Every arm over HTTP, closed loop",
        _arms(found),
        ABOUT_ARMS,
        "![Payments a second by arm](throughput.svg)",
        "## Latency at a fixed rate (open loop, Poisson arrivals, counted from when a request was due)",
        table(
            ("payments/s", "requests", "p50 ms", "p99 ms", "p99.9 ms"),
            (
                (
                    f"{one.rate:,.0f}",
                    f"{one.requests:,}",
                    *(f"{ms:.1f}" for ms in (one.p50_ms, one.p99_ms, one.p999_ms)),
                )
                for one in found.open_loop
            ),
        ),
        "![Latency by load](latency.svg)",
        "## In process, without HTTP",
        _in_process(found),
        "![The batch law](batch-law.svg)",
        "## One caller's single payments beside another caller's flood of batches of 1,000",
        _fairness(found),
        WEBHOOKS,
        _deliveries(found),
        "## What a payment leaves behind in Postgres",
        _footprint(found),
    )
    return "\n\n".join(sections) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def write_webhooks(found: Results, folder: Path) -> str:
    """As `write`, for the webhooks alone."""
    folder.mkdir(parents=True, exist_ok=True)
    machine = "\n".join(f"- {line}" for line in found.machine)
    sections = ("# Webhooks", machine, SHARED, _aims(found.aims_of_deliveries()), WEBHOOKS, _deliveries(found))
    text = "\n\n".join(sections) + "\n"
    (folder / "results.md").write_text(text)
    return text


def write_growth(found: Growth, folder: Path) -> str:
    """As `write`, for growth."""
    folder.mkdir(parents=True, exist_ok=True)
    empty, *others = found.worlds
    points = [(world.history, world.cost_us) for world in found.worlds if world.accounts == empty.accounts]
    plots.cost_by_history(points, folder / "cost-by-history.svg")
    sections = (
        "# Growth",
        "\n".join(f"- {line}" for line in found.machine),
        ABOUT_GROWTH,
        _aims([Aim(world.title, world.cost_us / empty.cost_us, 1.25, 1.1, lower_is_better=True) for world in others]),
        table(ABOUT_RUNS, (_row(world.title, run) for world in found.worlds for run in world.runs.values())),
        ABOUT_ARMS,
        "![Cost of a payment by history](cost-by-history.svg)",
        "## Pages of lists, 100 items each; far is page 11 to 15",
        table(
            ("ledger", "list", "first p50 ms", "first p99 ms", "far p50 ms", "far p99 ms"),
            (row for world in found.worlds for row in _pages(world)),
        ),
        *_filters(found.filters),
        "## Plans of the hot statements, with the longest history",
        *(f"```\n{plan}\n```" for plan in found.plans),
    )
    text = "\n\n".join(sections) + "\n"
    (folder / "results.md").write_text(text)
    return text


def write_filters(machine: Sequence[str], found: Sequence[Filtered], folder: Path) -> str:
    """As `write`, for the filters of lists alone."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n\n".join(("# Filters of lists", "\n".join(f"- {line}" for line in machine), *_filters(found))) + "\n"
    (folder / "results.md").write_text(text)
    return text


def _filters(found: Sequence[Filtered]) -> Sequence[str]:
    rows = (
        (
            f"{each.payments:,}",
            each.name,
            *(f"{ms:.1f}" for ms in (each.p50_ms, each.p99_ms, each.cpu_p50_ms, each.cpu_p99_ms)),
            f"`{each.slowest}`",
        )
        for each in found
    )
    return (
        "## Filters of lists: the first page, with values that match much, little and nothing",
        table(
            (
                "payments of one merchant",
                "list and filters",
                "p50 ms",
                "p99 ms",
                "CPU p50 ms",
                "CPU p99 ms",
                "the slowest values",
            ),
            rows,
        ),
    )


def _pages(world: World) -> Iterable[Sequence[str]]:
    for pages in world.pages:
        latencies = (pages.first_p50_ms, pages.first_p99_ms, pages.far_p50_ms, pages.far_p99_ms)
        yield (world.title, pages.name, *("" if ms is None else f"{ms:.1f}" for ms in latencies))


def _aims(aims: Sequence[Aim]) -> str:
    return table(
        ("", "this run", "least", "aim", ""),
        (
            (
                aim.name,
                _short(aim.value),
                f"{'≤' if aim.lower_is_better else '≥'} {_short(aim.least)}",
                _short(aim.aim),
                aim.verdict,
            )
            for aim in aims
        ),
    )


def _arms(found: Results) -> str:
    rows = [_row(name, run) for name, by_connections in found.runs.items() for _, run in sorted(by_connections.items())]
    rest = ("",) * (len(ABOUT_RUNS) - 3)
    return table(ABOUT_RUNS, [*rows, *((name, "16", f"{rate:,.0f}", *rest) for name, rate in found.pgbench.items())])


def _row(name: str, run: Run) -> Sequence[str]:
    on_postgres = run.payments_per_transaction > 0
    return (
        name,
        str(run.connections),
        f"{run.payments_per_second:,.0f}",
        *(f"{latency:.2f}" for latency in (run.p50_ms, run.p99_ms, run.p999_ms)),
        f"{run.app_cpu_us:.0f}",
        f"{run.postgres_cpu_us:.0f}" if on_postgres else "",
        f"{run.generator_cpu_us:.0f}",
        f"{run.wal_bytes:,.0f}" if on_postgres else "",
        f"{run.fsyncs:.3f}" if on_postgres else "",
        f"{run.payments_per_transaction:.1f}" if on_postgres else "",
        f"{run.others_cpu:.0%}",
    )


def _in_process(found: Results) -> str:
    rows = [
        ("use-case on memory adapters, batches of 256, time of one core", f"{found.memory_per_second:,.0f}"),
        ("the same through the executor, 64 tasks, time of the clock", f"{found.memory_executor_per_second:,.0f}"),
        ("SQLite, 64 tasks, grouped", f"{found.sqlite_grouped_per_second:,.0f}"),
        ("SQLite, one by one", f"{found.sqlite_single_per_second:,.0f}"),
    ]
    law = found.batch_law
    if law is None:
        return table(("", "payments/s"), rows)
    rows += [(f"Postgres, batches of {size:,}", f"{size / taken * 1e6:,.0f}") for size, taken in law.points]
    return (
        table(("", "payments/s"), rows)
        + f"\n\nA batch of N payments takes about T(N) = {law.fixed:,.0f} + {law.each:,.0f}·N µs on Postgres."
    )


def _fairness(found: Results) -> str:
    one = found.fairness
    if one is None:
        return ""
    return table(
        ("one after the other, on one connection", "ms"),
        (
            ("p50 without the flood", f"{one.alone_p50_ms:.1f}"),
            (
                f"p50 and p99 beside the flood, of which {one.flood_per_second:,.0f} payments/s are committed",
                f"{one.beside_p50_ms:.1f}, {one.beside_p99_ms:.1f}",
            ),
        ),
    )


def _deliveries(found: Results) -> str:
    one = found.deliveries
    if one is None:
        return ""
    lag = f"from a payment to its webhook at {RATE} payments/s, p50 and p99, ms"
    return table(
        ("to a local receiver, 20 endpoints", ""),
        (
            ("deliveries/s of a queue that was there before", f"{one.per_second:,.0f}"),
            ("processor time of the worker for a delivery, µs", f"{one.cpu_us:,.0f}"),
            (lag, f"{one.lag.p50_ms:.0f}, {one.lag.p99_ms:.0f}"),
            (
                "the same beside three endpoints that get every event: dead, hanging for 30 s, answering with 100 MB",
                f"{one.lag_beside_bad.p50_ms:.0f}, {one.lag_beside_bad.p99_ms:.0f}",
            ),
            ("memory of the worker with an empty queue, MB", f"{one.memory_mb:.0f}"),
            (f"memory of the worker with {one.waiting:,} deliveries waiting, MB", f"{one.memory_waiting_mb:.0f}"),
        ),
    )


def _footprint(found: Results) -> str:
    left = found.footprint
    if left is None:
        return ""
    return table(
        ("in batches of 64", "per payment"),
        (
            ("rows inserted", f"{left.rows_inserted:.2f}"),
            ("rows updated", f"{left.rows_updated:.2f}"),
            ("of them within their page, without an index (HOT)", f"{left.rows_updated_hot:.2f}"),
            ("bytes of tables", f"{left.table_bytes:,.0f}"),
            ("bytes of indexes", f"{left.index_bytes:,.0f}"),
            ("bytes of WAL", f"{left.wal_bytes:,.0f}"),
            ("fsyncs of the WAL, per transaction", f"{left.fsyncs_per_transaction:.2f}"),
        ),
    )


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits.
