"""Garbage collection, tuned for processes that serve."""

import gc


def collect_garbage_seldom() -> None:
    """Tune Python's garbage collector for a process that serves: `gateway serve` does, and an embedding service may.

    Objects that exist now are never examined again, and new ones seldom. Nearly nothing here is garbage in cycles:
    reference counts free the values of a request when it ends. With Python's defaults, a payment spends a fifth of its
    time on collections that find nothing (docs/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
