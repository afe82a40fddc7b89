"""Plots as SVG, which a browser and a code host show as they are."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.results import Results

mpl.rcParams["svg.fonttype"] = "none"  # Text stays text: small files, and the reader's own font.
mpl.rcParams["svg.hashsalt"] = "gateway"  # The same figures make the same file.


def throughput_by_arm(found: Results, path: Path) -> None:
    """Each arm's best throughput."""
    rates = {name: found.peak(name).payments_per_second for name in found.runs} | found.pgbench
    names = sorted(rates, key=lambda name: rates[name])
    figure, axes = _plot("Payments a second, all durable except in memory", height=5)
    bars = axes.barh(
        names, [rates[name] for name in names], color=["#2a6f97" if "gateway" in n else "#a9b4c2" for n in names]
    )
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.margins(x=0.12)
    _save(figure, path)


def latency_by_load(found: Results, path: Path) -> None:
    """Percentiles at the rates of the open loop."""
    figure, axes = _plot("Latency by load, open loop")
    rates = [run.rate for run in found.open_loop]
    for label, latencies in (
        ("p50", [run.p50_ms for run in found.open_loop]),
        ("p99", [run.p99_ms for run in found.open_loop]),
        ("p99.9", [run.p999_ms for run in found.open_loop]),
    ):
        axes.plot(rates, latencies, marker="o", label=label)
    axes.set(xlabel="payments a second", ylabel="ms", yscale="log")
    axes.legend()
    _save(figure, path)


def batch_law(found: Results, path: Path) -> None:
    """What a batch takes, and the line through it."""
    law = found.batch_law
    if law is None:
        return
    figure, axes = _plot("A batch of N payments on Postgres")
    sizes = [size for size, _ in law.points]
    axes.plot(sizes, [taken / 1000 for _, taken in law.points], "o", label="median")
    axes.plot(
        sizes,
        [(law.fixed + law.each * size) / 1000 for size in sizes],
        label=f"{law.fixed:,.0f} + {law.each:,.0f}·N µs",
    )
    axes.set(xlabel="N", ylabel="ms", xscale="log", yscale="log")
    axes.legend()
    _save(figure, path)


def cost_by_history(points: Sequence[tuple[int, float]], path: Path) -> None:
    """What a payment costs (µs at full load) after so many payments of history."""
    figure, axes = _plot("Cost of a payment by history")
    axes.plot([max(history, 1) for history, _ in points], [cost for _, cost in points], marker="o")
    axes.set(xlabel="payments of history (1: none)", ylabel="µs a payment, all connections busy", xscale="log")
    axes.set_ylim(bottom=0)
    _save(figure, path)


def _plot(title: str, *, height: float = 4) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
