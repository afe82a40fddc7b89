"""Records that another transaction holds for longer than a unit of work waits for them."""

from gateway.application.ports.unit_of_work import StorageUnavailable, TryAgain


class RecordBusy(TryAgain):
    """Another transaction holds a record that is needed, and did not end within the time of a lock."""


class StorageBusy(StorageUnavailable):
    """Another transaction held a record that was needed for longer than a retried unit of work waits.

    The storage is there, and units of work that need other records may go well.
    """
