"""Report: the result of a run, for programs and for people."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gateway.application.engine.submission import Answer, BulkSubmission, Submission
from gateway.domain.errors import Refusal
from gateway.domain.immutable import immutable
from gateway.simulation.delivery import Step
from gateway.simulation.violation import Violation


@immutable
class Failure:
    """The step and the invariants that a history violated."""

    step: int
    operation: str
    violations: Sequence[Violation]


@dataclass(slots=True)
class Report:
    """The result of a run. `trace` is a hash of all submissions and answers: the same for the same seed."""

    steps: int = 0
    commands: int = 0
    faults: int = 0
    outcomes: Counter[str] = field(default_factory=Counter[str])
    failure: Failure | None = None
    trace: str = ""


def described(step: Step, at: datetime) -> str:
    """A step, for people."""
    return "\n".join((f"{step.name}, {step.executor.value}, at {at.isoformat()}", *_lines(step.submissions, "  ")))


def _lines(submissions: Sequence[Submission], indent: str) -> Iterator[str]:
    for each in submissions:
        if isinstance(each, BulkSubmission):
            yield f"{indent}{each.key.key}: {'all or none' if each.atomic else 'each for identity'} of"
            yield from _lines(each.parts, indent * 2)
        else:
            yield f"{indent}{each.key.key}: {each.command!r}"


def kind_of(answer: Answer) -> str:
    """What an answer counts as: `success`, the code of a refusal, or that it was given before."""
    if answer.replayed:
        return "the same answer again"
    return answer.outcome.code if isinstance(answer.outcome, Refusal) else "success"
