"""Observations: the submissions of one run of a batch, with what was decided about each."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

from gateway.application.engine.submission import Answer, BulkSubmission, CommandSubmission, Encoded, Failed, Submission
from gateway.application.ports.unit_of_work import Changes
from gateway.domain.errors import Refusal
from gateway.domain.event import Event
from gateway.simulation.answers import told
from gateway.simulation.effect import Effect
from gateway.simulation.violation import Violation

UNDECIDED: Final = object()
"""The outcome of a submission that was not decided in this run: its answer was replayed, or it was not reached."""

KEY_REUSED: Final = "idempotency_key_reused"


class Observation:
    """One submission in one run, and the outcome that was decided. It is the codec of what it observes."""

    __slots__ = ("body", "command", "outcome", "parts", "submission")

    def __init__(self, submission: Submission) -> None:
        self.submission = submission
        self.command: Any = None if isinstance(submission, BulkSubmission) else submission.command
        self.parts = [Observation(part) for part in submission.parts] if isinstance(submission, BulkSubmission) else []
        self.outcome: Any = UNDECIDED
        self.body = b""

    @property
    def open(self) -> Submission:
        """The same submission, which reports its outcome to this observation."""
        if isinstance(self.submission, BulkSubmission):
            parts = [
                part.open_part(part.submission)
                for part in self.parts
                if not isinstance(part.submission, BulkSubmission)
            ]
            return replace(self.submission, parts=parts, codec=self, encode_all=self._encode_all)
        return self.open_part(self.submission)

    def open_part(self, asked: CommandSubmission) -> CommandSubmission:
        """A submission of one command, which reports its outcome to this observation."""
        # Written out, not `replace`: this runs for each command, and costs a third of it.
        return CommandSubmission(command=asked.command, key=asked.key, fingerprint=asked.fingerprint, codec=self)

    @property
    def was_decided(self) -> bool:
        """Whether the submission was decided, and not replayed. The answer to a bulk submission may be rebuilt."""
        return any(part.was_decided for part in self.parts) if self.parts else self.outcome is not UNDECIDED

    @property
    def is_stored_alone(self) -> bool:
        """Whether this run has stored the answer to this part under its key."""
        outcome = self.outcome
        return outcome is not UNDECIDED and not (isinstance(outcome, Refusal) and outcome.code == KEY_REUSED)

    def encode(self, outcome: Any, events: Collection[Event] = ()) -> Encoded:
        """Record the outcome, and encode it as the submission does."""
        self.outcome = outcome
        encoded = self.submission.codec.encode(outcome, events)
        self.body = encoded.body
        return encoded

    def is_refusal(self, body: bytes) -> bool:
        """Whether a body is of a refusal, by the submission's own codec."""
        return self.submission.codec.is_refusal(body)

    def _encode_all(self, answers: Sequence[Answer | Failed]) -> bytes:
        self.outcome = answers
        if isinstance(self.submission, BulkSubmission):
            self.body = self.submission.encode_all(answers)
        return self.body


class Run(NamedTuple):
    """A run of a batch that committed."""

    observations: Sequence[Observation]
    answers: Sequence[Answer | Failed]
    written: Changes | None
    now: datetime


def decided_in(observations: Sequence[Observation]) -> Iterator[Observation]:
    """The observations that a run reached, with their parts. An atomic bulk submission ends with its first refusal."""
    for observation in observations:
        yield observation
        if isinstance(observation.outcome, list):
            yield from decided_in(observation.parts[: len(cast("list[object]", observation.outcome))])


def difference_of(effect: Effect, observation: Observation) -> Violation | None:
    """The difference between what the gateway decided and what it must decide."""
    outcome, command = observation.outcome, observation.command
    if outcome is UNDECIDED:
        return Violation("decided", f"{command!r} was not decided, and has no stored answer.")
    code = outcome.code if isinstance(outcome, Refusal) else ""
    if code != effect.refusal:
        return Violation("outcome", f"It came to {_named(code)}; it must be {_named(effect.refusal)}.")
    if isinstance(outcome, Refusal):
        facts = {name: outcome.facts.get(name) for name in effect.facts}
        if facts != effect.facts:
            return Violation("outcome", f"The refusal {code} tells {facts}; it must be {dict(effect.facts)}.")
        return None
    of_access = (effect.endpoint, effect.key, effect.customer, effect.member)
    shown = (effect.told, effect.payment, effect.quote, *of_access)
    expected = next((each for each in shown if each is not None), None)
    if told(outcome) != expected:
        return Violation("outcome", f"It tells {told(outcome)}; it must be {expected}.")
    return None


def must_be_stored(outcome: Any) -> bool:
    """Whether an outcome must be stored under its key, by the rules of the simulation."""
    return not isinstance(outcome, Refusal) or Effect(refusal=outcome.code).stored


def _named(code: str) -> str:
    return code or "success"
