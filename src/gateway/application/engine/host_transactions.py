"""Commands within a transaction of the embedding program, which commits or rolls back (docs/decisions/0046)."""

from collections.abc import Callable
from typing import Final

from gateway.application.engine.batch import Batch
from gateway.application.engine.executor import isolating
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.engine.risk import Risk
from gateway.application.engine.submission import Answer, Failed, Submission
from gateway.application.ports.clock import Clock
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.unit_of_work import UnitOfWork
from gateway.domain.errors import invalid
from gateway.domain.immutable import immutable

LIMITS: Final = RetryLimits(attempts_max=3, duration_seconds_max=5.0)
"""How often a command is decided again after a conflict. The program's other statements are not run again: a
transaction that is lost is the program's to repeat."""


@immutable
class HostTransactions:
    """Answers submissions in transactions of others. There is no group commit, and nothing comes from caches.

    Attributes:
        unit_of_work_in: As `Storage.unit_of_work_in`.
    """

    unit_of_work_in: Callable[[object], UnitOfWork] | None
    clock: Clock
    identifiers: Identifiers
    risk: Risk | None = None

    async def perform(self, connection: object, submission: Submission) -> Answer:
        """Answer one submission. Nothing is durable before the program commits.

        Raises:
            InvalidInput: The storage has no transactions of others, or the connection cannot be used.
            StorageUnavailable: The transaction did not go on: roll it back, and repeat all of it.
            Exception: A bug. Nothing was written.
        """
        unit_of_work_in = self.unit_of_work_in
        if unit_of_work_in is None:
            detail = "This storage has no transactions of a program: it is no database of SQL."
            raise invalid("connection", "value_invalid", detail)
        batch = Batch(
            unit_of_work=lambda: unit_of_work_in(connection),
            clock=self.clock,
            identifiers=self.identifiers,
            risk=self.risk,
        )
        [outcome] = await isolating(retrying(batch.run, LIMITS))([submission])
        if isinstance(outcome, Failed):
            raise outcome.error
        return outcome
