"""Garbage collection in a process that serves."""

import subprocess
import sys
from typing import Final

OBJECTS_MAX: Final = 10_000
"""How many objects one collection may free: some 5 ms in which nothing else runs."""

CYCLES: Final = """
import gc

from gateway import collect_garbage_seldom


class Cycle:
    def __init__(self) -> None:
        self.itself = self


collect_garbage_seldom()
freed = []
gc.callbacks.append(lambda phase, found: freed.append(found["collected"]) if phase == "stop" else None)
for _ in range(300_000):
    Cycle()
gc.callbacks.clear()
print(gc.get_freeze_count() > 0, len(freed), max(freed))
"""


def test_garbage_in_cycles_is_freed_in_short_pauses() -> None:
    said = subprocess.run([sys.executable, "-c", CYCLES], capture_output=True, check=True, text=True).stdout
    frozen, collections, largest = said.split()
    assert frozen == "True"
    assert int(collections) < 1_000
    assert int(largest) <= OBJECTS_MAX
