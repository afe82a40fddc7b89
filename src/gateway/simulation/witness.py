"""Witness: observes every run of a batch, and compares it with the model."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from gateway.application.engine.batch import Batch
from gateway.application.engine.command import Command
from gateway.application.engine.submission import Answer, BulkSubmission, Failed, Submission
from gateway.application.ports.batch_records import AnswerKey
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, TryAgain, UnitOfWork
from gateway.domain.account import AccountKey
from gateway.domain.payment import PaymentId, QuoteId
from gateway.simulation.answers import ids_of, payment_id_of, quote_id_of
from gateway.simulation.books import Books
from gateway.simulation.clock import VirtualClock
from gateway.simulation.effect import Effect
from gateway.simulation.expected_writes import ExpectedWrites, moves_of
from gateway.simulation.faults import Faults, FaultyUnitOfWork
from gateway.simulation.feed_readers import Feed
from gateway.simulation.model import Model
from gateway.simulation.model_records import ModelAnswer, ModelTransaction
from gateway.simulation.observation import (
    KEY_REUSED,
    UNDECIDED,
    Observation,
    Run,
    decided_in,
    difference_of,
    must_be_stored,
)
from gateway.simulation.rules import effect_of
from gateway.simulation.violation import Violation
from gateway.simulation.world import NO_ACCOUNT

_KEY_REUSED: Final = Effect(refusal=KEY_REUSED)


@dataclass(slots=True)
class Touched:
    """The records that a step concerns, in the order of their first use."""

    accounts: dict[AccountKey, None] = field(default_factory=dict[AccountKey, None])
    payments: dict[PaymentId, None] = field(default_factory=dict[PaymentId, None])
    quotes: dict[QuoteId, None] = field(default_factory=dict[QuoteId, None])
    bodies: dict[tuple[AnswerKey, bytes], list[bytes]] = field(
        default_factory=dict[tuple[AnswerKey, bytes], list[bytes]]
    )
    """The answers of this step to each key and fingerprint."""
    faults: int = 0


class Witness:
    """Replaces `Batch.run`, between the retries and the transaction."""

    def __init__(
        self,
        storage: Storage,
        identifiers: Identifiers,
        clock: VirtualClock,
        faults: Faults,
        model: Model,
        feed: Feed,
        *,
        races: bool,
    ) -> None:
        self._storage = storage
        self._races = races
        self._pasts: list[Model] = []
        self._early: list[Run] = []
        self._identifiers = identifiers
        self._clock = clock
        self._faults = faults
        self._books = Books()
        self._model = model
        self._feed = feed
        self.violations: list[Violation] = []
        self.touched = Touched()
        self.committed: list[Changes] = []

    def forget(self) -> None:
        """Begin a new step, with nothing observed."""
        self.touched = Touched()
        self.committed = []
        self.violations = []
        self._pasts = []

    async def run(self, submissions: Sequence[Submission]) -> list[Answer | Failed]:
        """Run a batch as `Batch.run`, and check it."""
        observations = [Observation(submission) for submission in submissions]
        works: list[FaultyUnitOfWork] = []
        read: list[datetime] = []

        def begin() -> UnitOfWork:
            works.append(FaultyUnitOfWork(self._storage.unit_of_work(), self._faults))
            return works[-1]

        def clock() -> datetime:
            read.append(self._clock())
            return read[-1]

        batch = Batch(unit_of_work=begin, clock=clock, identifiers=self._identifiers)
        answers: list[Answer | Failed] = []
        try:
            answers = await batch.run([observation.open for observation in observations])
        except Exception as error:
            conflict = self._races and isinstance(error, TryAgain)
            if not conflict and not any(work.met_fault for work in works):
                self._report("unexpected_failure", f"The storage is well, and the batch failed: {error!r}.")
            raise
        finally:
            self.touched.faults += sum(work.met_fault for work in works)
            # A run that answers has committed, whether or not it wrote anything; a run that fails has if it wrote.
            written = _first_written(works)
            if read and (answers or written is not None):
                self._receive(Run(observations, answers, written, read[-1]))
        return answers

    def settle(self) -> None:
        """Check the runs that were postponed: the step is over."""
        early, self._early = self._early, []
        for run in early:
            self._check(*run)

    def _receive(self, run: Run) -> None:
        """Check a run. Where runs race, postpone one that replays an answer until the run that made it has returned."""
        if self._races and self._is_early(run):
            self._early.append(run)
            return
        self._check(*run)
        ready = next((each for each in self._early if not self._is_early(each)), None)
        if ready is not None:
            self._early.remove(ready)
            self._receive(ready)

    def _is_early(self, run: Run) -> bool:
        decided: set[AnswerKey] = set()
        replayed: set[AnswerKey] = set()
        for observation in decided_in(run.observations):
            (replayed if observation.outcome is UNDECIDED else decided).add(observation.submission.key)
        return any(key not in self._model.answers for key in replayed - decided)

    def _check(
        self,
        observations: Sequence[Observation],
        answers: Sequence[Answer | Failed],
        written: Changes | None,
        now: datetime,
    ) -> None:
        expected = ExpectedWrites()
        if self._races:
            model = self._model
            self._pasts.append(replace(model, accounts=dict(model.accounts), holders=dict(model.holders)))
        for observation in observations:
            self._decided(self._model, observation, expected, now)
        for observation, answer in zip(observations, answers, strict=False):
            self._answered(observation, answer)
        if written is None:
            if expected.answers:
                self._report("acknowledged", f"Answers were given and nothing was written: {list(expected.answers)}.")
            return
        self._written(written, expected, now)

    def _written(self, written: Changes, expected: ExpectedWrites, now: datetime) -> None:
        self.committed.append(written)
        for account in (*written.accounts_new, *written.accounts_changed):
            self._model.keys[account.id] = account.key
            self.touched.accounts[account.key] = None
        for payment in (*written.payments_new, *written.payments_changed):
            self.touched.payments[payment.id] = None
        self.touched.quotes.update({quote.id: None for quote in (*written.quotes_new, *written.quotes_changed)})
        self.violations.extend(expected.compare(written, self._model.keys))
        for each in written.transactions_new:
            [move, *_] = moves_of(each, self._model.keys)
            self._model.transactions[each.id] = ModelTransaction(type=each.type.value, move=move)
        self.violations.extend(self._books.take(written))
        self.violations.extend(self._feed.learn(written.events_new, expected.events, now))

    def _answered(self, observation: Observation, answer: Answer | Failed) -> None:
        if isinstance(answer, Failed):
            self._report("no_bug", f"A command met a bug: {answer.error!r}.")
            return
        submission = observation.submission
        if answer.body != observation.body:
            self._report(
                "same_answer", f"{submission.key} was answered {answer.body!r}; it must be {observation.body!r}."
            )
        self.touched.bodies.setdefault((submission.key, submission.fingerprint), []).append(answer.body)

    def _decided(self, model: Model, observation: Observation, expected: ExpectedWrites, now: datetime) -> bool:
        """Let the model decide, and compare. Returns whether it is a refusal."""
        submission = observation.submission
        replayed = model.answers.get(submission.key)
        if replayed is not None and replayed.fingerprint == submission.fingerprint:
            if observation.was_decided:
                self._report("key_decided_once", f"{submission.key} was decided again: {observation.outcome!r}.")
            observation.body = replayed.body
            return replayed.refused
        if replayed is not None:
            self._compare(_KEY_REUSED, observation)
            return True
        if isinstance(submission, BulkSubmission):
            return self._bulk_decided(model, observation, submission, expected, now)
        effect = self._effect(model, observation, now)
        self._compare(effect, observation)
        self._touch(effect, submission.command)
        model.apply(effect)
        expected.add(effect)
        self._store(model, observation, expected, stored=effect.stored, refused=bool(effect.refusal))
        return bool(effect.refusal)

    def _effect(self, model: Model, observation: Observation, now: datetime) -> Effect:
        """The effect that a command must have: on the present model or, where runs race, on an earlier one.

        A command that changes accounts has read and written them without a conflict, so only the present counts. One
        that only reads an account may have read it before another run changed it.
        """
        command, outcome = observation.command, observation.outcome
        names = payment_id_of(outcome), quote_id_of(outcome), *ids_of(outcome)
        effect = effect_of(command, model, now).named(*names)
        for past in self._pasts:
            if difference_of(effect, observation) is None:
                break
            read = effect_of(command, past, now).named(*names)
            if not (read.moves or read.changed or read.opened) and difference_of(read, observation) is None:
                return read
        return effect

    def _bulk_decided(
        self, model: Model, observation: Observation, bulk: BulkSubmission, expected: ExpectedWrites, now: datetime
    ) -> bool:
        """Let the model decide a bulk submission: all parts or none if it is atomic, otherwise each part by itself."""
        draft, drafted = (model.fork(), ExpectedWrites()) if bulk.atomic else (model, expected)
        stored, whole, refused = True, False, False
        for part in observation.parts:
            if part.submission.key == bulk.key:
                self._compare(_KEY_REUSED, part)
                refused = True
            else:
                refused = self._decided(draft, part, drafted, now)
            stored = stored and must_be_stored(part.outcome)
            whole = whole or not part.is_stored_alone
            if refused and bulk.atomic:
                break
        if bulk.atomic and not refused:
            model.adopt(draft)
            expected.adopt(drafted)
        whole = whole or (bulk.atomic and refused)
        self._store(model, observation, expected, stored=stored, refused=False, body=None if whole else b"")
        return False

    def _store(
        self,
        model: Model,
        observation: Observation,
        expected: ExpectedWrites,
        *,
        stored: bool,
        refused: bool,
        body: bytes | None = None,
    ) -> None:
        if not stored:
            return
        submission = observation.submission
        expected.answers[submission.key] = (submission.fingerprint, observation.body if body is None else body)
        model.answers[submission.key] = ModelAnswer(
            fingerprint=submission.fingerprint, body=observation.body, refused=refused
        )

    def _compare(self, effect: Effect, observation: Observation) -> None:
        difference = difference_of(effect, observation)
        if difference is not None:
            self.violations.append(difference)

    def _touch(self, effect: Effect, command: Command[Any]) -> None:
        touched = self.touched
        for move in effect.moves:
            touched.accounts[move.debit] = None
            touched.accounts[move.credit] = None
        touched.accounts.update(dict.fromkeys((*effect.changed, *effect.opened)))
        payment_id: PaymentId | None = getattr(command, "payment_id", None)
        if payment_id is not None:
            touched.payments[payment_id] = None
        key = self._model.keys.get(getattr(command, "account_id", NO_ACCOUNT))
        if key is not None:
            touched.accounts[key] = None

    def _report(self, invariant: str, detail: str) -> None:
        self.violations.append(Violation(invariant, detail))


def _first_written(works: Sequence[FaultyUnitOfWork]) -> Changes | None:
    return next((work.written for work in works if work.written is not None), None)
