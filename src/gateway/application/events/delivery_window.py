"""The deliveries that a worker has loaded for one endpoint: which may be sent now, and which wait for another one.

The deliveries of one object are made in the order of their positions: a delivery waits until its predecessor has ended,
or is a minute old.
"""

from collections import deque
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from gateway.application.ports.delivery_records import DeliveryId, DueDelivery
from gateway.domain.immutable import immutable


@immutable
class Postponed:
    """A delivery that must wait for an earlier one, until `due_at`."""

    due: DueDelivery
    due_at: datetime


class DeliveryWindow:
    """Loaded deliveries. Each is ready, or behind another one of its object, or in flight, or ended and not recorded.

    A delivery is held until its result is recorded: until then, the storage still says that it is due.
    """

    def __init__(self, order_seconds: float) -> None:
        self._order = timedelta(seconds=order_seconds)
        self._ready = deque[DueDelivery]()
        self._behind: dict[str, deque[DueDelivery]] = {}
        """For each object with a delivery that is ready or in flight: the deliveries that wait for it."""
        self._held = set[DeliveryId]()

    @property
    def ready(self) -> int:
        """How many deliveries may be sent now."""
        return len(self._ready)

    @property
    def held(self) -> Collection[DeliveryId]:
        """The deliveries that were loaded and are not recorded."""
        return self._held

    def load(self, loaded: Iterable[DueDelivery], *, ignored: Collection[DeliveryId], now: datetime) -> list[Postponed]:
        """Take deliveries in, in the order in which the storage gives them.

        Args:
            loaded: Due deliveries.
            ignored: The deliveries that were held when the storage was asked: what it says of them may be out of date.
            now: The present moment.

        Returns:
            The deliveries that must wait for one that is not due. They are held until this is recorded.
        """
        postponed: list[Postponed] = []
        waits_until: dict[str, datetime] = {}
        unknown = set(ignored)
        for due in loaded:
            if due.delivery.id in unknown or due.delivery.id in self._held:
                continue
            object_id = due.delivery.object_id
            if object_id in self._behind:
                self._held.add(due.delivery.id)
                self._behind[object_id].append(due)
                continue
            before = due.predecessor
            if before is None or before.created_at + self._order <= now:
                self._held.add(due.delivery.id)
                self._make_ready(due)
            elif before.id in unknown:
                unknown.add(due.delivery.id)  # The next load tells.
            else:
                # The predecessor is not in the window: it is due later. Or it was postponed a moment ago, and this
                # delivery has to wait as long.
                due_at = waits_until.get(object_id) or min(before.due_at, before.created_at + self._order)
                waits_until[object_id] = due_at
                self._held.add(due.delivery.id)
                postponed.append(Postponed(due=due, due_at=due_at))
        return postponed

    def next(self) -> DueDelivery | None:
        """The next delivery to send, which is in flight from now on."""
        return self._ready.popleft() if self._ready else None

    def ended(self, due: DueDelivery) -> None:
        """A delivery in flight has ended, and the next one of its object may be sent."""
        self._next_of(due.delivery.object_id)

    def failed(self, due: DueDelivery, due_at: datetime, *, now: datetime) -> list[Postponed]:
        """A delivery in flight failed, and is due again at `due_at`.

        Returns:
            The deliveries behind it, which must wait with it. They are held until this is recorded.
        """
        object_id = due.delivery.object_id
        until = min(due_at, due.delivery.created_at + self._order)
        if until <= now:
            self._next_of(object_id)
            return []
        return [Postponed(due=each, due_at=until) for each in self._behind.pop(object_id, ())]

    def recorded(self, delivery_id: DeliveryId) -> None:
        """The result of a delivery is recorded."""
        self._held.discard(delivery_id)

    def dropped(self, due: DueDelivery) -> None:
        """The request of a delivery was canceled. The delivery is still due."""
        self._held.discard(due.delivery.id)
        self._let_go(self._behind.pop(due.delivery.object_id, ()))

    def abandon(self) -> None:
        """Forget all deliveries that are not in flight. They are still due."""
        for object_id in {due.delivery.object_id for due in self._ready}:
            self._let_go(self._behind.pop(object_id))
        self._let_go(self._ready)
        self._ready.clear()
        for behind in self._behind.values():
            self._let_go(behind)
            behind.clear()

    def _make_ready(self, due: DueDelivery) -> None:
        self._behind[due.delivery.object_id] = deque()
        self._ready.append(due)

    def _next_of(self, object_id: str) -> None:
        behind = self._behind.get(object_id)
        if behind:
            self._ready.append(behind.popleft())
        else:
            self._behind.pop(object_id, None)

    def _let_go(self, deliveries: Iterable[DueDelivery]) -> None:
        self._held.difference_update([due.delivery.id for due in deliveries])


def limit_of_load(window: DeliveryWindow, window_size: int, limit_max: int) -> int:
    """How many due deliveries to ask for: those that are held come once more."""
    return min(window_size + len(window.held), limit_max)
