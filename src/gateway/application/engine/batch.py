"""The only place that writes money: many commands, one transaction.

Load what the commands need, let each decide in turn, write what changed, commit once. A refusal, or a bug, belongs to
its own command; the rest of the batch goes through.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.application.engine.command import Command, Decision, Moment
from gateway.application.engine.draft import Draft
from gateway.application.engine.ledger_view import MustBeAlone
from gateway.application.engine.submission import Answer, Bundle, Failed, Submission, is_kept
from gateway.application.ports.clock import Clock
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.unit_of_work import Changes, KeptAnswer, Needs, UnitOfWorkFactory, Wanted
from gateway.domain.errors import IdempotencyKeyReused, Refusal
from gateway.domain.value import value

RunBatch = Callable[[Sequence[Submission]], Awaitable[list[Answer | Failed]]]


@value
class Batch:
    """Runs submissions as one transaction. Deciding is pure, so a run that did not commit can be run again, whole."""

    unit_of_work: UnitOfWorkFactory
    clock: Clock
    identifiers: Identifiers

    async def run(self, submissions: Sequence[Submission]) -> list[Answer | Failed]:
        """Answer each submission, in their order.

        Raises:
            TryAgain: The transaction did not commit, or nobody knows.
            StorageUnavailable: The storage cannot be reached.
            MustBeAlone: The submissions cannot be written together; each can be alone.
        """
        needs = needs_of(submissions)
        async with self.unit_of_work() as work:
            records = await work.load(wanted_by(submissions, needs))
            draft = Draft(records)
            # The time is read after the locks are held: what waited for another batch is not dated before it.
            moment = moment_after(records.latest_at, self.clock(), self.identifiers)
            answers = [
                need if isinstance(need, Failed) else answer(submission, draft, moment)
                for submission, need in zip(submissions, needs, strict=True)
            ]
            changes = draft.changes(moment.transactions_at)
            if changes is not None or records.are_cached:
                await work.commit(changes or Changes())
        return answers


def moment_after(latest_at: datetime | None, now: datetime, identifiers: Identifiers) -> Moment:
    """The present moment. Ids of transactions are of a later one than `latest_at`, even if the clock says otherwise."""
    new_id = identifiers.of(now)
    if latest_at is None or latest_at < now:
        return Moment(now=now, new_id=new_id, transactions_at=now, new_transaction_id=new_id)
    then = latest_at + timedelta.resolution
    return Moment(now=now, new_id=new_id, transactions_at=then, new_transaction_id=identifiers.of(then))


def wanted_by(submissions: Sequence[Submission], needs: Sequence[Needs | Failed]) -> Wanted:
    """Everything that the submissions need, each thing once."""
    known = [need for need in needs if isinstance(need, Needs)]
    keys = {submission.key for submission in submissions}
    keys.update(part.key for each in submissions if isinstance(each, Bundle) for part in each.parts)
    return replace(Wanted.union(known), answers=keys, may_be_cached=True)


def needs_of(submissions: Sequence[Submission]) -> list[Needs | Failed]:
    """What each submission needs, or the bug in its command that kept it from saying so."""
    needs: list[Needs | Failed] = []
    for submission in submissions:
        try:
            needs.append(submission.command.needs())
        except Exception as bug:  # noqa: BLE001 - a bug in one command must not fail the others of the batch.
            needs.append(Failed(bug))
    return needs


def answer(submission: Submission, draft: Draft, moment: Moment) -> Answer | Failed:
    """The answer to one submission: remembered, or decided now."""
    kept = draft.answer(submission.key)
    if kept is not None:
        if kept.fingerprint == submission.fingerprint:
            return Answer(body=kept.body, outcome=None, replayed=True)
        return reused(submission)
    if isinstance(submission, Bundle):
        return answer_bundle(submission, draft, moment)
    try:
        decision = decide(submission.command, draft, moment)
        body = submission.encode(decision.outcome)
    except MustBeAlone:
        raise
    except Exception as bug:  # noqa: BLE001 - as above; nothing of this command has been written.
        return Failed(bug)
    if is_kept(decision.outcome):
        draft.write(decision)
        draft.keep(
            KeptAnswer(
                key=submission.key,
                fingerprint=submission.fingerprint,
                body=body,
                created_at=moment.now,
                events=decision.events,
            )
        )
    return Answer(body=body, outcome=decision.outcome, replayed=False)


def answer_bundle(bundle: Bundle, draft: Draft, moment: Moment) -> Answer | Failed:
    """The answer to a bundle, made of the answers to its parts."""
    trial = draft.fork() if bundle.atomic else draft
    answers: list[Answer | Failed] = []
    for part in bundle.parts:
        # The bundle has its key already, though its answer comes last: a key answers one request.
        last = reused(part) if part.key == bundle.key else answer(part, trial, moment)
        answers.append(last)
        if bundle.atomic and isinstance(last, Failed):
            return last
        if bundle.atomic and isinstance(last, Answer) and bundle.is_refused(last):
            break
    else:
        draft.adopt(trial)
    try:
        body = bundle.encode_all(answers)
    except Exception as bug:  # noqa: BLE001 - as above; the parts have keys of their own, and may be asked for again.
        return Failed(bug)
    if all(isinstance(each, Answer) and is_kept(each.outcome) for each in answers):
        draft.keep(KeptAnswer(key=bundle.key, fingerprint=bundle.fingerprint, body=body, created_at=moment.now))
    return Answer(body=body, outcome=answers, replayed=False)


def reused(submission: Submission) -> Answer | Failed:
    """The answer to a submission whose key belongs to another."""
    refusal = IdempotencyKeyReused("This idempotency key belongs to another request.")
    try:
        return Answer(body=submission.encode(refusal), outcome=refusal, replayed=False)
    except Exception as bug:  # noqa: BLE001 - a bug in one command must not take its companions down.
        return Failed(bug)


def decide(command: Command[object], draft: Draft, moment: Moment) -> Decision[object]:
    """What a command decides; a refusal that it raises is a decision that writes nothing."""
    try:
        return command.decide(draft, moment)
    except Refusal as refusal:
        return Decision(outcome=refusal)
