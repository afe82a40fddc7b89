"""Planted bugs of the fair queue: each breaks one thing in the real code, and a test of the queue must find it."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from application import test_fair_queue as found_by
from gateway.application.engine.fair_queue import FairQueue, Line

Plant = Callable[[pytest.MonkeyPatch], None]


def a_caller_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """After a turn a caller is removed, although more of theirs waits."""

    def line_up(self: FairQueue[Any], line: Line[Any]) -> None:
        del self._lines[line.caller]

    patch.setattr(FairQueue, "_line_up", line_up)


def a_caller_is_served_until_nothing_of_theirs_waits(patch: pytest.MonkeyPatch) -> None:
    """A turn has no end."""
    take_turn = FairQueue._take_turn  # noqa: SLF001 - the bug is inside.

    def take_all(self: FairQueue[Any], line: Line[Any], _share: int, room: int, taken: list[Any]) -> int:
        return take_turn(self, line, room, room, taken)

    patch.setattr(FairQueue, "_take_turn", take_all)
    patch.setattr(FairQueue, "_line_up", _line_up_in_front)


def requests_are_counted_instead_of_items(patch: pytest.MonkeyPatch) -> None:
    """Each entry counts as one item."""
    add = FairQueue.add
    patch.setattr(FairQueue, "add", lambda self, caller, _size, entry: add(self, caller, 1, entry))


def all_callers_are_one(patch: pytest.MonkeyPatch) -> None:
    """First in, first out, over all callers: the queue as it was."""
    add = FairQueue.add
    patch.setattr(FairQueue, "add", lambda self, _caller, size, entry: add(self, "everybody", size, entry))


def debts_are_forgiven(patch: pytest.MonkeyPatch) -> None:
    """Who takes more than a share with one entry gets as much again in the next turn."""
    line_up = FairQueue._line_up  # noqa: SLF001 - the bug is inside.

    def forgive(self: FairQueue[Any], line: Line[Any]) -> None:
        line.debt = 0
        line_up(self, line)

    patch.setattr(FairQueue, "_line_up", forgive)


def large_entries_go_first(patch: pytest.MonkeyPatch) -> None:
    """Large entries do not wait for others."""
    patch.setattr(FairQueue, "next_is_large", property(lambda self: bool(self._large)))


def large_entries_go_last(patch: pytest.MonkeyPatch) -> None:
    """Large entries wait until nothing else does."""
    patch.setattr(FairQueue, "next_is_large", property(lambda self: bool(self._large) and not self._turns))


def _line_up_in_front(self: FairQueue[Any], line: Line[Any]) -> None:
    if not line.entries:
        del self._lines[line.caller]
    elif line.entries[0][0] <= self._batch_size:
        self._turns.appendleft(line)
    else:
        self._large.appendleft(line)


PLANTED: Mapping[Plant, Callable[[], None]] = {
    a_caller_is_forgotten: found_by.test_every_entry_is_taken_once_in_the_order_of_its_caller,
    a_caller_is_served_until_nothing_of_theirs_waits: (
        found_by.test_a_callers_thousandth_item_waits_and_anothers_first_does_not
    ),
    requests_are_counted_instead_of_items: found_by.test_callers_share_by_items_whatever_the_size_of_their_entries,
    all_callers_are_one: found_by.test_the_first_entry_of_a_caller_is_not_held_up_by_what_others_have_waiting,
    debts_are_forgiven: found_by.test_callers_share_by_items_whatever_the_size_of_their_entries,
    large_entries_go_first: found_by.test_a_large_entry_is_alone_and_no_small_one_waits_for_two,
    large_entries_go_last: found_by.test_a_large_entry_waits_for_a_bounded_number_of_batches,
}
"""Each bug, and the test that finds it."""


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_of_the_queue_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        PLANTED[plant]()
