"""A worker of threads without an event loop, as Celery has them: tasks pay through one gateway of the process.

In Celery, `worker_process_init` opens the gateway and `worker_process_shutdown` closes it; each task is a function like
`settle` below. In Django, the `ready()` of an app opens it. Open it in each process, after the fork.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from gateway import MakeDeposit, Money, Pay, PaymentOrder, StorageUnavailable, SyncGateway, open_gateway_sync
from gateway.refusals import InsufficientFunds

THREADS = 8
TRIES_MAX = 3


class Task(NamedTuple):
    """An invoice to settle. It may be delivered more than once, as tasks of queues are."""

    invoice: str
    user: str
    amount_minor: int


def settle(gateway: SyncGateway, task: Task) -> str:
    """Pay an invoice, once, in any thread."""
    customer = gateway.accounts.open_customer(task.user, "EUR")
    shop = gateway.accounts.open_merchant("shop", "EUR")
    order = PaymentOrder(
        customer_id=customer.owner_id, merchant_id=shop.owner_id, amount=Money(task.amount_minor, "EUR")
    )
    for tries in range(1, TRIES_MAX + 1):
        try:
            gateway.execute(Pay(order=order), idempotency_key=task.invoice, owner_id=customer.owner_id)
        except InsufficientFunds:
            return "dunned"
        except StorageUnavailable:  # The same key is safe, also if the payment was committed.
            if tries == TRIES_MAX:
                raise
        else:
            break
    return "settled"


def work(gateway: SyncGateway, tasks: Iterable[Task]) -> list[str]:
    """Run tasks in threads, and give their results in order."""
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(lambda task: settle(gateway, task), tasks))


def main(database: Path) -> None:
    """Give a user 100 EUR, and settle 40 invoices of 3 EUR, each delivered twice."""
    with open_gateway_sync(database) as gateway:
        ada = gateway.accounts.open_customer("ada", "EUR")
        deposit = MakeDeposit(account_id=ada.id, amount=Money(10_000, "EUR"), owner_id=None)
        gateway.execute(deposit, idempotency_key="receipt-1", owner_id=ada.owner_id)
        tasks = [Task(f"invoice-{number % 40}", "ada", 300) for number in range(80)]
        results = work(gateway, tasks)
        [account] = gateway.queries.accounts_of(ada.owner_id)
        print(results.count("settled"), results.count("dunned"), account.available)


if __name__ == "__main__":
    with TemporaryDirectory() as folder:  # A real worker uses its database.
        main(Path(folder, "worker.db"))
