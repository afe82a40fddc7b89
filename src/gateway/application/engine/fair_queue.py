"""Fair queue: callers take turns, so that what one caller submits does not hold up another caller.

Round robin over callers, measured in items. The entries of one caller keep their order.

Source: Shreedhar and Varghese, "Efficient Fair Queuing Using Deficit Round Robin" (SIGCOMM 1995). Here the last entry
of a turn may exceed the share, which later turns pay back ("surplus round robin").
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

Entry = TypeVar("Entry")

BATCHES_BEFORE_LARGE_MAX: Final = 16
"""A large entry waits for at most so many batches of the other callers."""


class Line(Generic[Entry]):
    """The waiting entries of one caller, first in, first out.

    Attributes:
        entries: Each with its size in items, at least 1.
        size: Of all entries, in items.
        debt: The items by which earlier turns have exceeded their share. A turn first pays the debt. Negative if the
            batch had no room for the whole share.
    """

    __slots__ = ("caller", "debt", "entries", "size")

    def __init__(self, caller: str) -> None:
        self.caller = caller
        # `deque[…]()` would make a generic alias for each caller: a microsecond.
        self.entries: deque[tuple[int, Entry]] = deque()
        self.size = 0
        self.debt = 0


class FairQueue(Generic[Entry]):
    """The waiting entries of all callers. Adding an entry takes constant time, as does taking one.

    An entry larger than a batch is a batch of its own ("large"). Large entries take turns among themselves. After one,
    each other caller may take as many items before the next one, in at most `BATCHES_BEFORE_LARGE_MAX` batches. If only
    large entries wait, they follow each other.

    Attributes:
        size: Of all entries, in items.
    """

    def __init__(self, batch_size: int) -> None:
        """An empty queue.

        Args:
            batch_size: The size of a batch in items.
        """
        self.size = 0
        self._batch_size = batch_size
        self._lines: dict[str, Line[Entry]] = {}
        self._turns = deque[Line[Entry]]()
        self._large = deque[Line[Entry]]()
        self._held_back = deque[Line[Entry]]()
        self._batches_before_large = 0

    def __bool__(self) -> bool:
        """Whether an entry waits."""
        return self.size > 0

    @property
    def next_is_large(self) -> bool:
        """Whether the next batch is a large entry."""
        return bool(self._large) and (not self._turns or self._batches_before_large == 0)

    def size_of(self, caller: str) -> int:
        """The items of one caller."""
        line = self._lines.get(caller)
        return 0 if line is None else line.size

    def add(self, caller: str, size: int, entry: Entry) -> None:
        """Add an entry of `size` items (at least 1) behind the caller's other entries."""
        line = self._lines.get(caller)
        if line is None:
            line = self._lines[caller] = Line(caller)
            (self._turns if size <= self._batch_size else self._large).append(line)
        line.entries.append((size, entry))
        line.size += size
        self.size += size

    def take(self) -> list[Entry]:
        """Remove and return the entries of the next batch. Empty only if the queue is."""
        if self.next_is_large:
            return self._take_large()
        if self._batches_before_large:
            self._batches_before_large -= 1
        return self._take_turns()

    @property
    def has_small(self) -> bool:
        """Whether a caller's next entry is neither large nor held back."""
        return bool(self._turns)

    def take_beside(self, must_wait: Callable[[Entry], bool]) -> list[Entry]:
        """Remove and return the entries of the next batch, which runs beside a large entry. It may be empty.

        Callers take turns of one entry. A caller whose next entry must wait is held back until `release`.
        """
        taken: list[Entry] = []
        room, turns = self._batch_size, self._turns
        self._batches_before_large = max(1, self._batches_before_large - 1)
        while turns:
            line = turns[0]
            size, entry = line.entries[0]
            if size > room:
                break
            turns.popleft()
            if must_wait(entry):
                self._held_back.append(line)
                continue
            del line.entries[0]
            line.size -= size
            self.size -= size
            room -= size
            taken.append(entry)
            self._line_up(line)
        return taken

    def release(self) -> None:
        """The callers who were held back have the next turns."""
        self._turns.extendleft(reversed(self._held_back))
        self._held_back.clear()

    def take_all(self) -> list[Entry]:
        """Remove and return all entries."""
        taken = [entry for line in self._lines.values() for _, entry in line.entries]
        self.size = self._batches_before_large = 0
        for waiting in (self._lines, self._turns, self._large, self._held_back):
            waiting.clear()
        return taken

    def _take_large(self) -> list[Entry]:
        line = self._large.popleft()
        size, entry = line.entries.popleft()
        line.size -= size
        self.size -= size
        batches = -(-size * len(self._turns) // self._batch_size)
        self._batches_before_large = max(1, min(batches, BATCHES_BEFORE_LARGE_MAX))
        self._line_up(line)
        return [entry]

    def _take_turns(self) -> list[Entry]:
        taken: list[Entry] = []
        passed_over: list[Line[Entry]] = []
        turns = self._turns
        room = self._batch_size
        share = max(1, room // max(1, len(turns)))
        while room and turns:
            line = turns.popleft()
            if line.debt >= share:
                line.debt -= share
                turns.append(line)
                continue
            if line.size <= share - line.debt and line.size <= room:
                # Usually all that a caller has waiting is within the share: the caller leaves the queue.
                for _, entry in line.entries:
                    taken.append(entry)
                room -= line.size
                del self._lines[line.caller]
                continue
            before = room
            room = self._take_turn(line, share - line.debt, room, taken)
            line.debt = max(line.debt + before - room - share, -self._batch_size)
            if room == before:
                passed_over.append(line)
            else:
                self._line_up(line)
        # Their first entries do not fit into the rest of this batch. The next batch begins with them.
        turns.extendleft(reversed(passed_over))
        self.size -= self._batch_size - room
        return taken

    def _take_turn(self, line: Line[Entry], share: int, room: int, taken: list[Entry]) -> int:
        """Take entries of one caller until the share is used. Returns the room that is left in the batch."""
        entries = line.entries
        before = room
        while entries and share > 0:
            size = entries[0][0]
            if size > room:
                break
            taken.append(entries.popleft()[1])
            share -= size
            room -= size
        line.size -= before - room
        return room

    def _line_up(self, line: Line[Entry]) -> None:
        """Place a caller whose turn is over behind the others, or remove the caller if nothing waits."""
        if not line.entries:
            del self._lines[line.caller]
        elif line.entries[0][0] <= self._batch_size:
            self._turns.append(line)
        else:
            self._large.append(line)
