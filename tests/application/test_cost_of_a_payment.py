"""What a payment costs, counted rather than timed: the same on every machine, whatever else it is doing.

A bound that is passed says that payments became dearer. If they had to, raise it, and say what for.
"""

import gc
import sys
from collections.abc import Sequence
from itertools import count
from types import FrameType

from gateway.adapters.memory import memory_storage
from gateway.application.engine.batch import Batch
from gateway.application.engine.submission import Submission
from gateway.application.ports.storage import Storage
from support.builders import a_batch, opened, pay, submit, usd

SMALL = 50
LARGE = 250
FUNCTION_CALLS_MAX = 78
"""Calls of Python functions for each payment of a batch, from its needs to its answer and its event (77 on 3.11)."""
BLOCKS_KEPT_MAX = 20
"""Blocks of memory that each payment leaves behind on the memory adapter: its records (16 on Python 3.11)."""


async def test_a_payment_more_in_a_batch_calls_few_functions(storage: Storage) -> None:
    batch = await ready(storage)
    calls = [await calls_of(batch, orders(size)) for size in (SMALL, LARGE)]
    assert (calls[1] - calls[0]) / (LARGE - SMALL) <= FUNCTION_CALLS_MAX
    # And nothing is done again and again for a batch, which would show only in large ones.
    again = await calls_of(batch, orders(LARGE))
    assert again == calls[1]


async def test_what_was_paid_before_makes_no_payment_dearer(storage: Storage) -> None:
    batch = await ready(storage)
    first = await calls_of(batch, orders(SMALL))
    for _ in range(20):
        await batch.run(orders(LARGE))
    assert await calls_of(batch, orders(SMALL)) == first


async def test_a_payment_leaves_nothing_behind_but_its_records() -> None:
    batch = await ready(memory_storage())
    await batch.run(orders(LARGE))
    asked = [orders(LARGE) for _ in range(10)]
    gc.collect()
    before = sys.getallocatedblocks()
    for each in asked:
        await batch.run(each)
    gc.collect()
    assert (sys.getallocatedblocks() - before) / (10 * LARGE) <= BLOCKS_KEPT_MAX


async def ready(storage: Storage) -> Batch:
    """A batch on a shop that has paid before: what is only made once is there."""
    await opened(storage, balance=1_000_000)
    batch = a_batch(storage)
    await batch.run(orders(2))
    return batch


_numbers = count()


def orders(size: int) -> Sequence[Submission]:
    """So many payments, each under a key that nobody has used."""
    return [submit(pay(usd(1)), f"order-{next(_numbers)}") for _ in range(size)]


async def calls_of(batch: Batch, asked: Sequence[Submission]) -> int:
    """How many Python functions are called to run them."""
    calls = 0

    def see(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    # Hypothesis has the collector call it, in a run of all tests: that is nothing of what a payment costs.
    gc.disable()
    sys.setprofile(see)
    try:
        await batch.run(asked)
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls
