"""Witness: hears every run of a batch, tells what it must have come to, and compares."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

from gateway.application.engine.batch import Batch
from gateway.application.engine.command import Command
from gateway.application.engine.submission import Answer, Bundle, CommandSubmission, Failed, Submission
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import AnswerKey, Changes, TryAgain, UnitOfWork
from gateway.domain.account import AccountKey
from gateway.domain.errors import Refusal
from gateway.domain.payment import PaymentId, QuoteId
from gateway.domain.transaction import Transaction
from gateway.simulation.answers import model_quote, payment_id_of, quote_id_of, told
from gateway.simulation.books import Books
from gateway.simulation.clock import VirtualClock
from gateway.simulation.faults import Faults, FaultyUnitOfWork
from gateway.simulation.model import AccountCache, Effect, Model, ModelQuote, ModelTransaction, Move
from gateway.simulation.rules import effect_of
from gateway.simulation.violation import Violation
from gateway.simulation.world import NO_ACCOUNT

_NOTHING: Final = object()
_REUSED: Final = Effect(refusal="idempotency_key_reused")


class Hearing:
    """One submission in one run: as it was handed in, and what was decided on it."""

    __slots__ = ("body", "command", "outcome", "parts", "submission")

    def __init__(self, submission: Submission) -> None:
        self.submission = submission
        self.command: Any = None if isinstance(submission, Bundle) else submission.command
        self.parts = [Hearing(part) for part in submission.parts] if isinstance(submission, Bundle) else []
        self.outcome: Any = _NOTHING
        self.body = b""

    @property
    def open(self) -> Submission:
        """The same submission, which reports its outcome to this hearing."""
        if isinstance(self.submission, Bundle):
            parts = [part.open_part(part.submission) for part in self.parts if not isinstance(part.submission, Bundle)]
            return replace(self.submission, parts=parts, codec=self, encode_all=self._encode_all)
        return self.open_part(self.submission)

    def open_part(self, asked: CommandSubmission) -> CommandSubmission:
        """A submission of one command, which reports its outcome to this hearing."""
        # Written out, not `replace`: this runs for each command, and costs a third of it.
        return CommandSubmission(command=asked.command, key=asked.key, fingerprint=asked.fingerprint, codec=self)

    def encode(self, outcome: Any) -> bytes:
        """Note the outcome, and encode it as the submission does."""
        self.outcome = outcome
        self.body = self.submission.codec.encode(outcome)
        return self.body

    def is_refusal(self, body: bytes) -> bool:
        """As the submission's own codec."""
        return self.submission.codec.is_refusal(body)

    def _encode_all(self, answers: Sequence[Answer | Failed]) -> bytes:
        self.outcome = answers
        if isinstance(self.submission, Bundle):
            self.body = self.submission.encode_all(answers)
        return self.body


class Run(NamedTuple):
    """What came of a run of a batch that happened."""

    hearings: Sequence[Hearing]
    answers: Sequence[Answer | Failed]
    written: Changes | None
    now: datetime


@dataclass(slots=True)
class Touched:
    """What a step has to do with, in the order of its first touch."""

    accounts: dict[AccountKey, None] = field(default_factory=dict[AccountKey, None])
    payments: dict[PaymentId, None] = field(default_factory=dict[PaymentId, None])
    quotes: dict[QuoteId, None] = field(default_factory=dict[QuoteId, None])
    bodies: dict[tuple[AnswerKey, bytes], list[bytes]] = field(
        default_factory=dict[tuple[AnswerKey, bytes], list[bytes]]
    )
    """What was answered in this step to a key and a fingerprint."""
    faults: int = 0


@dataclass(slots=True)
class _Verdict:
    """What a run must have written."""

    kept: dict[AnswerKey, tuple[bytes, bytes]] = field(default_factory=dict[AnswerKey, tuple[bytes, bytes]])
    quotes: dict[QuoteId, ModelQuote] = field(default_factory=dict[QuoteId, ModelQuote])
    events: list[str] = field(default_factory=list[str])
    transactions: list[tuple[str, tuple[Move, ...]]] = field(default_factory=list[tuple[str, tuple[Move, ...]]])


class Witness:
    """Stands where `Batch.run` is called: between the retries and the transaction."""

    def __init__(
        self,
        storage: Storage,
        identifiers: Identifiers,
        clock: VirtualClock,
        faults: Faults,
        model: Model,
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
        self.violations: list[Violation] = []
        self.touched = Touched()
        self.committed: list[Changes] = []

    def forget(self) -> None:
        """Begin a new step."""
        self.touched = Touched()
        self.committed = []
        self.violations = []
        self._pasts = []

    async def run(self, submissions: Sequence[Submission]) -> list[Answer | Failed]:
        """As `Batch.run`, seen from beside it."""
        hearings = [Hearing(submission) for submission in submissions]
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
            answers = await batch.run([hearing.open for hearing in hearings])
        except Exception as error:
            overtaken = self._races and isinstance(error, TryAgain)
            if not overtaken and not any(work.met_fault for work in works):
                self._find("unexpected_failure", f"The storage is well, and the batch failed: {error!r}.")
            raise
        finally:
            self.touched.faults += sum(work.met_fault for work in works)
            written = next((work.written for work in works if work.written is not None), None)
            # A run that answers has happened, whether or not it has written; one that fails has if it has.
            if read and (answers or written is not None):
                self._take(Run(hearings, answers, written, read[-1]))
        return answers

    def settle(self) -> None:
        """Hear what had to wait, whether or not that for which it waited has come: the step is over."""
        early, self._early = self._early, []
        for run in early:
            self._hear(*run)

    def _take(self, run: Run) -> None:
        """Hear a run, after the one that it remembers: where runs race, the storage may be quicker to tell of it."""
        if self._races and self._is_early(run):
            self._early.append(run)
            return
        self._hear(*run)
        ready = next((each for each in self._early if not self._is_early(each)), None)
        if ready is not None:
            self._early.remove(ready)
            self._take(ready)

    def _is_early(self, run: Run) -> bool:
        decided: set[AnswerKey] = set()
        remembered: set[AnswerKey] = set()
        for hearing in _told(run.hearings):
            (remembered if hearing.outcome is _NOTHING else decided).add(hearing.submission.key)
        return any(key not in self._model.answers for key in remembered - decided)

    def _hear(
        self, hearings: Sequence[Hearing], answers: Sequence[Answer | Failed], written: Changes | None, now: datetime
    ) -> None:
        verdict = _Verdict()
        if self._races:
            model = self._model
            self._pasts.append(replace(model, accounts=dict(model.accounts), holders=dict(model.holders)))
        for hearing in hearings:
            self._decided(self._model, hearing, verdict, now)
        for hearing, answer in zip(hearings, answers, strict=False):
            self._answered(hearing, answer)
        if written is None:
            if verdict.kept:
                self._find("acknowledged", f"Answers were given and nothing was written: {list(verdict.kept)}.")
            return
        self._written(written, verdict)

    def _written(self, written: Changes, verdict: _Verdict) -> None:
        self.committed.append(written)
        for account in (*written.accounts_new, *written.accounts_changed):
            self._model.keys[account.id] = account.key
            self.touched.accounts[account.key] = None
        for payment in (*written.payments_new, *written.payments_changed):
            self.touched.payments[payment.id] = None
        quotes = {quote.id: model_quote(quote) for quote in (*written.quotes_new, *written.quotes_changed)}
        self.touched.quotes.update(dict.fromkeys(quotes))
        if quotes != verdict.quotes:
            self._find("quotes", f"Written are {quotes}; it must be {verdict.quotes}.")
        kept = {answer.key: (answer.fingerprint, answer.body) for answer in written.answers_new}
        if kept != verdict.kept:
            self._find("answers_kept", f"Kept are {list(kept)}; it must be {list(verdict.kept)}, as answered.")
        events = [event.type.value for event in written.events_new]
        if events != verdict.events:
            self._find("events", f"Written are {events}; it must be {verdict.events}.")
        transactions = [(each.type.value, self._moves(each)) for each in written.transactions_new]
        if transactions != verdict.transactions:
            self._find("transactions", f"Written are {transactions}; it must be {verdict.transactions}.")
        for each, (kind, moves) in zip(written.transactions_new, transactions, strict=True):
            self._model.transactions[each.id] = ModelTransaction(type=kind, move=moves[0])
        self.violations.extend(self._books.take(written))

    def _moves(self, transaction: Transaction) -> tuple[Move, ...]:
        keys = self._model.keys
        return tuple(
            Move(each.kind.value, keys[each.debit_account_id], keys[each.credit_account_id], each.amount_minor)
            for each in transaction.transfers
        )

    def _answered(self, hearing: Hearing, answer: Answer | Failed) -> None:
        if isinstance(answer, Failed):
            self._find("no_bug", f"A command met a bug: {answer.error!r}.")
            return
        submission = hearing.submission
        if answer.body != hearing.body:
            self._find("same_answer", f"{submission.key} was answered {answer.body!r}; it must be {hearing.body!r}.")
        self.touched.bodies.setdefault((submission.key, submission.fingerprint), []).append(answer.body)

    def _decided(self, model: Model, hearing: Hearing, verdict: _Verdict, now: datetime) -> bool:
        """Let the model decide, and compare; whether it is a refusal."""
        submission = hearing.submission
        remembered = model.answers.get(submission.key)
        if remembered is not None and remembered.fingerprint == submission.fingerprint:
            if hearing.outcome is not _NOTHING:
                self._find("key_decided_once", f"{submission.key} was decided again: {hearing.outcome!r}.")
            hearing.body = remembered.body
            return remembered.refused
        if remembered is not None:
            self._compare(_REUSED, hearing)
            return True
        if isinstance(submission, Bundle):
            return self._bundle_decided(model, hearing, submission, verdict, now)
        effect = self._effect(model, hearing, now)
        self._compare(effect, hearing)
        self._touch(effect, submission.command)
        model.apply(effect)
        if effect.quote is not None:
            verdict.quotes[effect.quote.id] = effect.quote
        verdict.events.extend(effect.events)
        if effect.transaction:
            verdict.transactions.append((effect.transaction, effect.moves))
        self._keep(model, hearing, verdict, lasting=effect.lasting, refused=bool(effect.refusal))
        return bool(effect.refusal)

    def _effect(self, model: Model, hearing: Hearing, now: datetime) -> Effect:
        """What a command must come to: now, or where runs race when its run had read, if it moves nothing.

        What does move something was read and written without anybody in between. An answer that rests on an account,
        and leaves it as it is, may be overtaken by whoever changes that account.
        """
        command, names = hearing.command, (payment_id_of(hearing.outcome), quote_id_of(hearing.outcome))
        effect = effect_of(command, model, now).named(*names)
        for past in self._pasts:
            if _difference(effect, hearing) is None:
                break
            read = effect_of(command, past, now).named(*names)
            if not (read.moves or read.changed or read.opened) and _difference(read, hearing) is None:
                return read
        return effect

    def _bundle_decided(self, model: Model, hearing: Hearing, bundle: Bundle, verdict: _Verdict, now: datetime) -> bool:
        """All parts or none if it is atomic; each for itself otherwise."""
        draft, drafted = (model.fork(), _Verdict()) if bundle.atomic else (model, verdict)
        lasting, refused = True, False
        for part in hearing.parts:
            if part.submission.key == bundle.key:
                self._compare(_REUSED, part)
                refused = True
            else:
                refused = self._decided(draft, part, drafted, now)
            lasting = lasting and not _is_passing(part.outcome)
            if refused and bundle.atomic:
                break
        if bundle.atomic and not refused:
            model.adopt(draft)
            verdict.kept.update(drafted.kept)
            verdict.quotes.update(drafted.quotes)
            verdict.events.extend(drafted.events)
            verdict.transactions.extend(drafted.transactions)
        self._keep(model, hearing, verdict, lasting=lasting, refused=False)
        return False

    def _keep(self, model: Model, hearing: Hearing, verdict: _Verdict, *, lasting: bool, refused: bool) -> None:
        if not lasting:
            return
        submission = hearing.submission
        verdict.kept[submission.key] = (submission.fingerprint, hearing.body)
        model.answers[submission.key] = AccountCache(
            fingerprint=submission.fingerprint, body=hearing.body, refused=refused
        )

    def _compare(self, effect: Effect, hearing: Hearing) -> None:
        difference = _difference(effect, hearing)
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

    def _find(self, invariant: str, detail: str) -> None:
        self.violations.append(Violation(invariant, detail))


def _told(hearings: Sequence[Hearing]) -> Iterator[Hearing]:
    """Those that a run came to, and their parts; an atomic bundle ends with its first refusal."""
    for hearing in hearings:
        yield hearing
        if isinstance(hearing.outcome, list):
            yield from _told(hearing.parts[: len(cast("list[object]", hearing.outcome))])


def _difference(effect: Effect, hearing: Hearing) -> Violation | None:
    """What the gateway decided otherwise than it must."""
    outcome, command = hearing.outcome, hearing.command
    if outcome is _NOTHING:
        return Violation("decided", f"{command!r} was not decided, and is not remembered.")
    code = outcome.code if isinstance(outcome, Refusal) else ""
    if code != effect.refusal:
        return Violation("outcome", f"It came to {_named(code)}; it must be {_named(effect.refusal)}.")
    if isinstance(outcome, Refusal):
        facts = {name: outcome.facts.get(name) for name in effect.facts}
        if facts != effect.facts:
            return Violation("outcome", f"The refusal {code} tells {facts}; it must be {dict(effect.facts)}.")
        return None
    expected = next((each for each in (effect.told, effect.payment, effect.quote) if each is not None), None)
    if told(outcome) != expected:
        return Violation("outcome", f"It tells {told(outcome)}; it must be {expected}.")
    return None


def _is_passing(outcome: Any) -> bool:
    return isinstance(outcome, Refusal) and not Effect(refusal=outcome.code).lasting


def _named(code: str) -> str:
    return code or "success"
