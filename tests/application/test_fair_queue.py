"""The fair queue: nothing is lost, the entries of a caller keep their order, and callers do not hold each other up."""

from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.application.engine.fair_queue import BATCHES_BEFORE_LARGE_MAX, FairQueue

BATCH = 8
CALLERS = "abcde"


class Entry(NamedTuple):
    """An entry that knows what it is."""

    caller: str
    number: int
    size: int


Step = tuple[str, int] | None
"""A caller adds an entry of a size; `None` takes a batch."""

adding = st.tuples(st.sampled_from(CALLERS), st.integers(1, 2 * BATCH))
histories = st.lists(st.one_of(adding, adding, st.none()), max_size=60)


@settings(database=None)
@given(steps=histories)
def test_every_entry_is_taken_once_in_the_order_of_its_caller(steps: Sequence[Step]) -> None:
    queue = FairQueue[Entry](BATCH)
    waiting = {caller: deque[Entry]() for caller in CALLERS}
    for number, step in enumerate([*steps, *[None] * (len(steps) + 1)]):
        if step is not None:
            entry = Entry(step[0], number, step[1])
            queue.add(entry.caller, entry.size, entry)
            waiting[entry.caller].append(entry)
        else:
            for entry in queue.take():
                assert entry == waiting[entry.caller].popleft()
        sizes = {caller: sum(entry.size for entry in entries) for caller, entries in waiting.items()}
        assert {caller: queue.size_of(caller) for caller in CALLERS} == sizes
        assert queue.size == sum(sizes.values())
    assert not any(waiting.values()), "entries were left behind"


@settings(database=None)
@given(steps=histories)
def test_a_batch_is_as_large_as_it_may_be_or_one_large_entry(steps: Sequence[Step]) -> None:
    queue = FairQueue[Entry](BATCH)
    for number, step in enumerate(steps):
        if step is not None:
            queue.add(step[0], step[1], Entry(step[0], number, step[1]))
            continue
        was_empty = not queue
        batch = queue.take()
        assert bool(batch) is not was_empty
        assert len(batch) == 1 or sum(entry.size for entry in batch) <= BATCH


@settings(database=None)
@given(steps=histories)
def test_the_first_entry_of_a_caller_is_not_held_up_by_what_others_have_waiting(steps: Sequence[Step]) -> None:
    queue = FairQueue[Entry](BATCH)
    for number, step in enumerate(steps):
        if step is None:
            queue.take()
        else:
            queue.add(step[0], step[1], Entry(step[0], number, step[1]))
    for more in range(5 * BATCH):  # One caller floods.
        queue.add("a", 1 + more % (2 * BATCH), Entry("a", 1000 + more, 1))
    queue.add("new", 1, Entry("new", 0, 1))
    # Each other caller has one turn before it, and between two turns there is one large entry.
    for _ in range(2 * len(CALLERS) + 1):
        if any(entry.caller == "new" for entry in queue.take()):
            return
    raise AssertionError("The first entry of a caller waits for the entries of others.")


def test_a_callers_thousandth_item_waits_and_anothers_first_does_not() -> None:
    queue = FairQueue[Entry](BATCH)
    for number in range(1000):
        queue.add("a", 1, Entry("a", number, 1))
    queue.add("b", 1, Entry("b", 0, 1))
    batch = queue.take()
    assert Counter(entry.caller for entry in batch) == {"a": BATCH - 1, "b": 1}


def test_callers_share_by_items_whatever_the_size_of_their_entries() -> None:
    queue = FairQueue[Entry](BATCH)
    for number in range(200):
        queue.add("a", 1, Entry("a", number, 1))
        queue.add("b", 3, Entry("b", number, 3))
        queue.add("c", 7, Entry("c", number, 7))
    items = Counter[str]()
    for _ in range(50):
        items.update(dict.fromkeys("abc", 0))
        for entry in queue.take():
            items[entry.caller] += entry.size
        assert max(items.values()) - min(items.values()) <= 2 * BATCH, items


def test_a_large_entry_is_alone_and_no_small_one_waits_for_two() -> None:
    queue = FairQueue[Entry](BATCH)
    for caller in "abcd":
        for number in range(3):
            queue.add(caller, 10 * BATCH, Entry(caller, number, 10 * BATCH))
    taken = list[str]()
    while queue:
        queue.add("small", 1, Entry("small", 0, 1))
        before = len(taken)
        while queue.size_of("small"):
            taken += [entry.caller for entry in queue.take()]
        assert len(taken) - before <= 2, "it waited for more than one large entry"
        taken += [entry.caller for entry in queue.take()]
    assert [caller for caller in taken if caller != "small"] == [*"abcdabcdabcd"], "large entries take turns too"


def test_a_large_entry_waits_for_a_bounded_number_of_batches() -> None:
    queue = FairQueue[Entry](BATCH)
    queue.add("large", 100 * BATCH, Entry("large", 0, 100 * BATCH))
    queue.add("large", 100 * BATCH, Entry("large", 1, 100 * BATCH))
    waited = list[int]()
    since = 0
    for number in range(3 * BATCHES_BEFORE_LARGE_MAX):
        for caller in CALLERS:
            for more in range(BATCH):
                queue.add(caller, 1, Entry(caller, BATCH * number + more, 1))
        if [entry.caller for entry in queue.take()] == ["large"]:
            waited.append(since)
            since = 0
        else:
            since += 1
    assert waited == [0, BATCHES_BEFORE_LARGE_MAX]


def test_large_entries_follow_each_other_if_nothing_else_waits() -> None:
    queue = FairQueue[Entry](BATCH)
    for number in range(3):
        queue.add("a", 2 * BATCH, Entry("a", number, 2 * BATCH))
    for number in range(3):
        assert queue.next_is_large
        assert queue.take() == [Entry("a", number, 2 * BATCH)]
    assert queue.take() == []


def test_all_entries_can_be_taken_at_once() -> None:
    queue = FairQueue[Entry](BATCH)
    entries = [Entry(caller, number, size) for caller in "ab" for number, size in enumerate((1, 2 * BATCH, 1))]
    for entry in entries:
        queue.add(entry.caller, entry.size, entry)
    assert queue.take_all() == entries
    assert not queue
    assert queue.take() == []
    queue.add("a", 1, entries[0])
    assert queue.take() == [entries[0]]
