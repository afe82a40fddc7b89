"""What every unit of work promises.

No test needs two units of work to be inside at once, for some storages let in one at a time: tests that are about
concurrency start tasks, and wait for all of them.
"""

from gateway.contracts.unit_of_work.atomicity import AtomicityContract
from gateway.contracts.unit_of_work.concurrency import ConcurrencyContract
from gateway.contracts.unit_of_work.loading import LoadingContract
from gateway.contracts.unit_of_work.payment_counters import PaymentCountersContract
from gateway.contracts.unit_of_work.values import ValuesContract


class UnitOfWorkContract(
    LoadingContract, ValuesContract, AtomicityContract, ConcurrencyContract, PaymentCountersContract
):
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""
