"""A submission that an executor has accepted."""

import asyncio

from gateway.application.engine.submission import Answer, Failed, Submission
from gateway.domain.immutable import immutable


@immutable
class Ticket:
    """An accepted submission, and the future of its answer."""

    submission: Submission
    answer: asyncio.Future[Answer]
    size: int

    def resolve(self, outcome: Answer | Failed | Exception) -> None:
        """Set the answer, unless the caller was cancelled."""
        if self.answer.done():
            return
        if isinstance(outcome, Answer):
            self.answer.set_result(outcome)
        else:
            self.answer.set_exception(outcome.error if isinstance(outcome, Failed) else outcome)
