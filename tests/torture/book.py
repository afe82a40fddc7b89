"""What clients were told: each operation with its key and its answer, and what all of them come to."""

from collections import Counter
from dataclasses import dataclass, field

from torture.client import Answer, Operation

DONE = frozenset({200, 201, 207})
"""Statuses of operations that were carried out."""
EXPECTED = DONE | {401, 409, 503}
"""Statuses that clients may see while something is broken. 401 only of tokens whose time is over, 409 only of keys
whose first request still runs."""
MESSAGE_CHARACTERS_MAX = 500


@dataclass(slots=True)
class PaymentRecord:
    """A payment, as the answers leave it. Amounts in minor units."""

    amount: int
    captured: int
    status: str
    refunded: int = 0

    @property
    def as_told(self) -> tuple[str, int, int, int]:
        """Status, amount, captured, refunded."""
        return self.status, self.amount, self.captured, self.refunded


@dataclass(slots=True)
class Book:
    """All operations, what was answered, and what was wrong.

    Attributes:
        operations: In the order of their first attempts.
        payments: By id.
        refunds: Ids.
        statuses: How many answers had which status, of all attempts; 0 counts attempts without an answer.
        allowed: Further statuses that are promised at the moment.
        replayed: How many operations were replayed.
        violations: A sentence for each broken promise.
    """

    operations: list[Operation] = field(default_factory=list[Operation])
    payments: dict[str, PaymentRecord] = field(default_factory=dict[str, PaymentRecord])
    refunds: set[str] = field(default_factory=set[str])
    statuses: Counter[int] = field(default_factory=Counter[int])
    allowed: frozenset[int] = frozenset()
    replayed: int = 0
    violations: list[str] = field(default_factory=list[str])

    @property
    def done(self) -> int:
        """How many operations were carried out."""
        return sum(count for status, count in self.statuses.items() if status in DONE)

    def note(self, operation: Operation, answer: Answer) -> None:
        """Note an answer, and whether it may be given."""
        self.statuses[answer.status] += 1
        if answer.status in DONE:
            operation.answer = answer
        elif reason := self._broken_promise(answer):
            told = answer.body.decode(errors="replace")[:MESSAGE_CHARACTERS_MAX]
            self.violations.append(f"{operation.path} was answered with {answer.status}{reason}: {told}")

    def _broken_promise(self, answer: Answer) -> str:
        if answer.status not in EXPECTED | self.allowed:
            return " which is not promised"
        if answer.status in self.allowed:
            return ""
        code = answer.json["code"]
        if answer.status == 409 and code != "idempotency_in_progress":
            return f" {code}, which says that it had been carried out already"
        if answer.status == 401 and code != "token_expired":
            return f" {code}"
        if answer.status == 503 and int(answer.headers.get("retry-after", "0")) < 1:
            return " without Retry-After"
        return ""
